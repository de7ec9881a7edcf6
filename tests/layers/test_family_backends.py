"""The LSTM family on the PyTorch and JAX backends of Keras, in a process of their own, against the NumPy oracle."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import keras, numpy as np
from keras import ops
from tests import oracle_family as oracle
from tests.cells.family import FAMILY, MASKS, B, D, H, T
from zoo import cells, layers

rng = np.random.default_rng(0)
mask = np.array(MASKS["right padded"], bool)
for name, member in FAMILY.items():
    layer = member.layer(H, **member.arguments, return_sequences=True, return_state=True)
    layer.build((None, None, D))
    for weight in layer.trainable_weights:
        weight.assign(rng.standard_normal(weight.shape))
    w = {n: ops.convert_to_numpy(v).astype("f8") for n, v in zip(member.weights, layer.trainable_weights)}
    x, zeros = rng.standard_normal((B, T, D)), tuple(np.zeros((B, size)) for size in member.sizes)
    for valid in (None, mask):
        got = layer(ops.convert_to_tensor(x.astype("f")), mask=None if valid is None else ops.convert_to_tensor(valid))
        run = oracle.over_time(member.step, x, zeros, w, valid)
        for mine, want in zip(got, (run.sequence, *run.states)):
            np.testing.assert_allclose(ops.convert_to_numpy(mine), want, rtol=0, atol=1e-5, err_msg=name)


def trained(layer):
    model = keras.Sequential([keras.Input((T, D)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(x.astype("f"), np.array([[1.0], [-1.0], [0.0]]), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0], (layer, losses)


keras.utils.set_random_seed(0)
for member in (FAMILY["PeepholeLSTM"], FAMILY["MinGRU"], FAMILY["MinLSTM"]):
    trained(member.layer(8, **member.arguments))
trained(layers.WeightDrop(keras.layers.Bidirectional(layers.LSTM(8)), rate=0.1))
trained(layers.RNN(cells.ZoneoutCell(cells.LSTMCell(8), 0.05, 0.2)))
layer = layers.RNN(cells.ZoneoutCell(keras.layers.SimpleRNNCell(200), hidden_rate=0.4), return_sequences=True)
states = ops.convert_to_numpy(layer(ops.ones((1, 2, D)), training=True))[0]
assert abs((states[0] == 0).mean() - 0.4) < 0.12 and not ((states[1] == states[0]) == (states[0] == 0)).all()
print("agrees on", keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_family_matches_the_oracle_and_trains_on_every_backend(backend):
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
