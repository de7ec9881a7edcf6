"""A large GRU in integer steps: near Keras under every option of the layer, and only where that is what is promised."""

from collections import Counter

import keras
import numpy as np
import onnx
import pytest
from keras import layers

import export
from export import onnx_integer_gru, runtime
from export.onnx_graph import walk
from tests.export.onnx_parity import randomised

UNITS, FEATURES, STEPS = onnx_integer_gru.UNITS, 8, 9
SEQUENCES = {"return_sequences": True}
pytestmark = pytest.mark.usefixtures("small_probes")


def _model(*stack, inputs=None):
    x = keras.Input((None, FEATURES), name="x") if inputs is None else inputs
    y = x
    for layer in stack:
        y = layer(y)
    return randomised(keras.Model(x, y, name="m"), scale=0.1)


def _x(batch=3):
    return np.random.default_rng(0).standard_normal((batch, STEPS, FEATURES)).astype("float32")


def _operators(path):
    return Counter(node.op_type for node in walk(onnx.load(path).graph))


STACKS = {
    "last output": ((layers.GRU(UNITS),), 1),
    "every output": ((layers.GRU(UNITS, **SEQUENCES),), 1),
    "backwards": ((layers.GRU(UNITS, go_backwards=True, **SEQUENCES),), 1),
    "without bias": ((layers.GRU(UNITS, use_bias=False),), 1),
    "bidirectional": ((layers.Bidirectional(layers.GRU(UNITS, **SEQUENCES)),), 2),
    "masked": ((layers.Masking(), layers.Bidirectional(layers.GRU(UNITS, **SEQUENCES)), layers.GRU(UNITS)), 3),
}


@pytest.mark.parametrize("stack", STACKS)
def test_it_computes_in_integers_what_keras_computes(stack, tmp_path):
    given, scans = STACKS[stack]
    model = _model(*given)
    full = export.to_onnx(model, tmp_path / "full.onnx", check=False)
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize="dynamic")
    assert (small.operators.get("GRU"), small.operators["Scan"], small.notes) == (None, scans, ())
    assert full.bytes > 3.5 * small.bytes
    x = _x()
    if stack == "masked":
        for row, length in enumerate((STEPS, 4, 1)):
            x[row, length:] = 0
    expected = keras.ops.convert_to_numpy(model(x))
    (found,) = runtime.load(small.path).run_checked({"x": x}).values()
    assert 0 < np.abs(found - expected).max() < small.allowed


def test_states_go_in_and_come_out(tmp_path):
    x, start = keras.Input((None, FEATURES), name="x"), keras.Input((UNITS,), name="start")
    model = keras.Model([x, start], layers.GRU(UNITS, return_state=True, **SEQUENCES)(x, initial_state=start), name="m")
    small = export.to_onnx(model, tmp_path / "m.onnx", quantize="dynamic")
    assert small.operators["Scan"] == 1
    given = {"x": _x(), "start": np.random.default_rng(1).uniform(-1, 1, (3, UNITS)).astype("float32")}
    answers = runtime.load(small.path).run_checked(given).values()
    for found, expected in zip(answers, model(list(given.values())), strict=True):
        assert 0 < np.abs(found - keras.ops.convert_to_numpy(expected)).max() < 0.02


def test_a_stream_of_steps_is_one_pass(tmp_path):
    model = _model(layers.GRU(UNITS, **SEQUENCES), layers.Dense(2))
    small = export.to_onnx(model, tmp_path / "m.onnx", quantize="dynamic", streaming=True)
    assert small.operators["Scan"] == 1
    x = _x(1)
    stream = runtime.load(small.path).stream()
    found = np.concatenate([next(iter(stream.push({"x": x[:, [step]]}).values())) for step in range(STEPS)], 1)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(model(x)), rtol=0, atol=0.02)


KEPT = {
    "a smaller one": layers.GRU(UNITS - 1),
    "another order of reset": layers.GRU(UNITS, reset_after=False),
}


@pytest.mark.parametrize("layer", KEPT)
def test_what_it_is_not_for_stays_one_node(layer, tmp_path):
    small = export.to_onnx(_model(KEPT[layer]), tmp_path / "m.onnx", quantize="dynamic")
    assert _operators(small.path)["GRU"] == 1
    assert "Scan" not in small.operators
    assert len(small.notes) == 1


def test_two_exports_give_the_same_bytes(tmp_path):
    model = _model(layers.Bidirectional(layers.GRU(UNITS)))
    first, second = (
        export.to_onnx(model, tmp_path / name, quantize="dynamic", check=False) for name in ("a.onnx", "b.onnx")
    )
    assert first.path.read_bytes() == second.path.read_bytes()
