"""Cells and layers on the PyTorch and JAX backends of Keras, in a process of their own, against the NumPy oracle."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import thorough

ROOT = Path(__file__).parents[2]
SCRIPT = """
import keras, numpy as np
from tests import oracle
from zoo.cells import GRUCell, LSTMCell
from zoo.layers import GRU, LSTM

B, T, D, H = 2, 5, 3, 4
rng = np.random.default_rng(0)
x, h, c = (rng.standard_normal(shape) for shape in ((B, T, D), (B, H), (B, H)))
mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 0]], bool)


def given(layer, shape):
    layer.build(shape)
    layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.weights])
    return layer, oracle.Weights(*(keras.ops.convert_to_numpy(w).astype("f8") for w in layer.weights))


def close(got, want):
    np.testing.assert_allclose(keras.ops.convert_to_numpy(got), want, rtol=0, atol=1e-5)


def tensors(*arrays):
    return [keras.ops.convert_to_tensor(array.astype("float32")) for array in arrays]


x_, h_, c_ = tensors(x, h, c)
cell, w = given(LSTMCell(H), (B, D))
_, (new_h, new_c) = cell(x_[:, 0], [h_, c_])
want_h, want_c = oracle.lstm_step(x[:, 0], h, c, w)
close(new_h, want_h), close(new_c, want_c)
for reset_after in (True, False):
    cell, w = given(GRUCell(H, reset_after=reset_after), (B, D))
    close(cell(x_[:, 0], [h_])[0], oracle.gru_step(x[:, 0], h, w, reset_after))
for steps in (None, mask):
    valid = None if steps is None else keras.ops.convert_to_tensor(steps)
    if steps is not None:  # before the first valid step JAX repeats the initial state, TensorFlow zeros
        h, c, h_, c_ = 0 * h, 0 * c, 0 * h_, 0 * c_
    for path in ("auto", "cell"):
        layer, w = given(LSTM(H, path=path, return_sequences=True), (B, T, D))
        close(layer(x_, initial_state=[h_, c_], mask=valid), oracle.lstm(x, h, c, w, steps).sequence)
        for reset_after in (True, False):
            layer, w = given(GRU(H, path=path, return_sequences=True, reset_after=reset_after), (B, T, D))
            close(layer(x_, initial_state=[h_], mask=valid), oracle.gru(x, h, w, reset_after, steps).sequence)
both = keras.layers.Bidirectional(LSTM(H))
assert tuple(both(x_).shape) == (B, 2 * H)
print("agrees on", keras.backend.backend())
"""


@pytest.mark.parametrize("backend", [pytest.param("tensorflow", marks=thorough), "torch", "jax"])
def test_cells_and_layers_match_the_oracle_on_every_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the package {backend} is not installed")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.splitlines()[-1] == f"agrees on {backend}"
