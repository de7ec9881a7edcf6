"""Keras' own tests of `LSTM`, `GRU` and `Bidirectional`, from the installed wheel, with our layers in their place."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras

SUITE = Path(keras.__file__).parent / "src" / "layers" / "rnn"
ROOT = Path(__file__).parents[2]
SKIPPED = 2  # `test_session`, which TensorFlow's test case class brings along: not a test of Keras
SUBSTITUTION = """
import keras
from keras import layers
import zoo.layers

layers.LSTM, layers.GRU = zoo.layers.LSTM, zoo.layers.GRU
"""
WITNESS = """
from keras import layers

def test_the_layers_are_ours():
    assert layers.LSTM.__module__ == layers.GRU.__module__ == "zoo.layers.recurrent"
"""


def test_keras_own_tests_pass_with_our_layers(tmp_path):
    written = 1
    for name in ("lstm", "gru", "bidirectional"):
        shutil.copy(SUITE / f"{name}_test.py", tmp_path)
        written += len(re.findall(r"^    def test_", (SUITE / f"{name}_test.py").read_text(), re.MULTILINE))
    (tmp_path / "conftest.py").write_text(SUBSTITUTION)
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
