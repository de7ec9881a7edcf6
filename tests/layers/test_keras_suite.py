"""Keras' own tests of `LSTM`, `GRU` and `Bidirectional`, from the installed wheel, with our layers in their place."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SUITE = Path(keras.__file__).parent / "src" / "layers" / "rnn"
ROOT = Path(__file__).parents[2]
SKIPPED = 2  # `test_session`, which TensorFlow's test case class brings along: not a test of Keras
SUBSTITUTION = """
import keras
from keras import layers
import zoo.layers

from zoo.layers import paths

layers.LSTM, layers.GRU, layers.Bidirectional = zoo.layers.LSTM, zoo.layers.GRU, zoo.layers.Bidirectional


def chosen(layer, training):
    return "fused" if paths.broken_rule("fused", layer) is None else "cell"


paths.chosen = {"auto": paths.chosen, "cell": lambda *_: "cell", "fused": chosen}[PATH]
"""
WITNESS = """
from keras import layers

def test_the_layers_are_ours():
    assert layers.LSTM.__module__ == layers.GRU.__module__ == "zoo.layers.recurrent"
    assert layers.Bidirectional.__module__ == "zoo.layers.bidirectional"
"""


@pytest.mark.parametrize("path", ["auto", "cell", "fused"])
def test_keras_own_tests_pass_with_our_layers_on_every_path(tmp_path, path):
    """On "fused" every layer takes it that can, in training or not; the others take the cell."""
    written = 1
    for name in ("lstm", "gru", "bidirectional"):
        shutil.copy(SUITE / f"{name}_test.py", tmp_path)
        written += len(re.findall(r"^    def test_", (SUITE / f"{name}_test.py").read_text(), re.MULTILINE))
    (tmp_path / "conftest.py").write_text(f"PATH = {path!r}\n{SUBSTITUTION}")
    (tmp_path / "witness_test.py").write_text(WITNESS)
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
    assert counts == {"passed": written, "skipped": SKIPPED}, run.stdout[-3000:]
