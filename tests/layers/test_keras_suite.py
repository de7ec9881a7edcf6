"""Keras' own tests of `LSTM`, `GRU` and `Bidirectional`, from the installed wheel, with our layers in their place."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests.tiers import some

SUITE = Path(keras.__file__).parent / "src" / "layers" / "rnn"
ROOT = Path(__file__).parents[2]
SKIPPED = 2  # `test_session`, which TensorFlow's test case class brings along: not a test of Keras
SUBSTITUTION = """
import pytest
from keras import layers
from tensorflow import config
import zoo.layers

from zoo.layers import paths

config.optimizer.set_experimental_options({{"disable_meta_optimizer": True}})  # see `plain_graphs` in tests/conftest.py
layers.LSTM, layers.GRU, layers.Bidirectional = zoo.layers.LSTM, zoo.layers.GRU, zoo.layers.Bidirectional


def fused(layer, training):
    return "fused" if paths.broken_rule("fused", layer) is None else "cell"


CHOSEN = {{"auto": paths.chosen, "cell": lambda layer, training: "cell", "fused": fused}}


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.setattr(paths, "chosen", CHOSEN[{path!r}])
"""
WITNESS = """
from keras import layers
from zoo.layers import paths

def test_the_layers_are_ours():
    assert layers.LSTM.__module__ == layers.GRU.__module__ == "zoo.layers.recurrent"
    assert layers.Bidirectional.__module__ == "zoo.layers.bidirectional"

def test_the_path_is_the_one_meant():
    layer = layers.LSTM(2)
    layer.build((1, 2, 3))
    assert paths.chosen(layer, training=False) == {path!r}
"""


@pytest.mark.parametrize("path", some(["auto", "cell", "fused"], 3))
def test_keras_own_tests_pass_with_our_layers(path, tmp_path):
    """On "fused" every layer takes it that can, in training or not; the others take the cell, as "auto" does on the CPU
    outside training."""
    written = 0
    (tmp_path / "conftest.py").write_text(SUBSTITUTION.format(path=path))
    (tmp_path / "witness_test.py").write_text(WITNESS.format(path=path))
    for name in ("lstm", "gru", "bidirectional"):
        shutil.copy(SUITE / f"{name}_test.py", tmp_path)
        written += len(re.findall(r"^    def test_", (SUITE / f"{name}_test.py").read_text(), re.MULTILINE))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", run.stdout)}
    assert counts == {"passed": written + 2, "skipped": SKIPPED}, run.stdout[-3000:]
