"""The LSTM cell and layer against the NumPy oracle, and against the ONNX reference evaluator."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests import oracle
from zoo.cells import LSTMCell
from zoo.layers import LSTM

B, T, D, H = 3, 6, 4, 5
TOLERANCE = 1e-5
PATHS = ("cell", "auto")


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def weights(use_bias=True):
    kernel, recurrent_kernel, bias = arrays(1, (D, 4 * H), (H, 4 * H), (4 * H,))
    return oracle.Weights(kernel, recurrent_kernel, bias if use_bias else None)


def given(layer, w):
    layer.build((B, T, D) if isinstance(layer, keras.layers.RNN) else (B, D))
    layer.set_weights([value for value in (w.kernel, w.recurrent_kernel, w.bias) if value is not None])
    return layer


def close(got, want):
    np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("use_bias", [True, False])
def test_one_step_of_the_cell_matches_the_oracle(use_bias):
    w, (x, h, c) = weights(use_bias), arrays(0, (B, D), (B, H), (B, H))
    output, (new_h, new_c) = given(LSTMCell(H, use_bias=use_bias), w)(x.astype("f"), [h.astype("f"), c.astype("f")])
    want_h, want_c = oracle.lstm_step(x, h, c, w)
    close(output, want_h), close(new_h, want_h), close(new_c, want_c)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_sequence_matches_the_oracle_at_every_step(path, use_bias):
    w, (x, h, c) = weights(use_bias), arrays(0, (B, T, D), (B, H), (B, H))
    layer = given(LSTM(H, path=path, use_bias=use_bias, return_sequences=True, return_state=True), w)
    sequence, new_h, new_c = layer(x.astype("f"), initial_state=[h.astype("f"), c.astype("f")])
    want = oracle.lstm(x, h, c, w)
    close(sequence, want.sequence), close(new_h, want.states[0]), close(new_c, want.states[1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_every_gradient_matches_backpropagation_by_hand(path, use_bias):
    w, (x, h, c) = weights(use_bias), arrays(0, (B, T, D), (B, H), (B, H))
    d_sequence, d_h, d_c = arrays(2, (B, T, H), (B, H), (B, H))
    layer = given(LSTM(H, path=path, use_bias=use_bias, return_sequences=True, return_state=True), w)
    inputs = [tf.constant(value, "float32") for value in (x, h, c)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = layer(inputs[0], initial_state=inputs[1:])
        loss = sum(
            tf.reduce_sum(a * tf.cast(b, "float32")) for a, b in zip(results, (d_sequence, d_h, d_c), strict=True)
        )
    got_x, got_h, got_c, *got_weights = tape.gradient(loss, inputs + [v.value for v in layer.trainable_variables])
    want = oracle.lstm_gradients(x, h, c, w, d_sequence, d_h, d_c)
    scale = max(np.abs(want.kernel).max(), np.abs(want.recurrent_kernel).max())
    assert scale < 100, "float32 could not be held to 1e-5 beyond that"
    close(got_x, want.x), close(got_h, want.states[0]), close(got_c, want.states[1])
    wanted = [want.kernel, want.recurrent_kernel] + ([want.bias] if use_bias else [])
    for got, expected in zip(got_weights, wanted, strict=True):
        close(got, expected)


def test_the_oracle_gradients_match_central_differences():
    w, (x, h, c) = weights(), arrays(0, (B, T, D), (B, H), (B, H))
    d_sequence, d_h, d_c = arrays(2, (B, T, H), (B, H), (B, H))
    given_values = [x, h, c, w.kernel, w.recurrent_kernel, w.bias]

    def loss(x, h, c, *parts):
        run = oracle.lstm(x, h, c, oracle.Weights(*parts))
        return (run.sequence * d_sequence).sum() + (run.states[0] * d_h).sum() + (run.states[1] * d_c).sum()

    want = oracle.lstm_gradients(x, h, c, w, d_sequence, d_h, d_c)
    flat = [want.x, *want.states, want.kernel, want.recurrent_kernel, want.bias]
    directions = arrays(3, *(value.shape for value in given_values))
    for place, direction in enumerate(directions):
        ahead, behind = list(given_values), list(given_values)
        ahead[place], behind[place] = ahead[place] + 1e-5 * direction, behind[place] - 1e-5 * direction
        slope = (loss(*ahead) - loss(*behind)) / 2e-5
        assert abs(slope - (flat[place] * direction).sum()) < 1e-6


@pytest.mark.parametrize("path", PATHS)
def test_a_sequence_matches_the_onnx_reference_evaluator(path):
    w, (x, h, c) = weights(), arrays(0, (B, T, D), (B, H), (B, H))
    layer = given(LSTM(H, path=path, return_sequences=True, return_state=True), w)
    got = layer(x.astype("f"), initial_state=[h.astype("f"), c.astype("f")])
    for mine, theirs in zip(got, onnx_lstm(x, h, c, w), strict=True):
        close(mine, theirs)


def onnx_lstm(x, h, c, w):
    """ONNX orders the gates i, o, f, c and transposes the weights; time comes first, then the direction."""

    def gates(value):
        i, f, g, o = np.split(value, 4, -1)
        return np.concatenate([i, o, f, g], -1).T[None].astype("float32")

    bias = np.concatenate([gates(w.bias), np.zeros((1, 4 * H), "float32")], -1)
    named = {"W": gates(w.kernel), "R": gates(w.recurrent_kernel), "B": bias}
    node = helper.make_node("LSTM", ["X", *named, "", "h0", "c0"], ["Y", "h", "c"], hidden_size=H)
    model = _model(node, named, ["X", "h0", "c0"])
    feeds = {"X": x.transpose(1, 0, 2), "h0": h[None], "c0": c[None]}
    y, h, c = ReferenceEvaluator(model).run(None, {name: value.astype("float32") for name, value in feeds.items()})
    return y[:, 0].transpose(1, 0, 2), h[0], c[0]


def _model(node, named, inputs):
    def infos(names):
        return [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]

    constants = [numpy_helper.from_array(value, name) for name, value in named.items()]
    graph = helper.make_graph([node], "reference", infos(inputs), infos(node.output), constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


MASKS = {
    "right padded": [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
    "left padded": [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1]],
    "with holes": [[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 1, 1]],
    "with an empty row": [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]],
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_masked_steps_keep_the_previous_state(path, mask):
    w, (x, h, c) = weights(), arrays(0, (B, T, D), (B, H), (B, H))
    mask = np.array(mask, bool)
    layer = given(LSTM(H, path=path, return_sequences=True, return_state=True), w)
    got = layer(x.astype("f"), mask=mask, initial_state=[h.astype("f"), c.astype("f")])
    want = oracle.lstm(x, h, c, w, mask)
    for mine, expected in zip(got, (want.sequence, *want.states), strict=True):
        close(mine, expected)


@pytest.mark.parametrize("kind", [LSTMCell, LSTM])
@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("rate", [7.0, 1.0, 1, -0.1, float("nan"), float("inf"), "half", None])
def test_a_dropout_rate_out_of_range_raises(kind, name, rate):
    with pytest.raises(ValueError, match="is not a dropout rate") as error:
        kind(H, **{name: rate})
    assert str(error.value) == f"{name}={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1."


def test_dropout_drops_the_same_inputs_and_hidden_units_at_every_step():
    w, (x, h, c) = weights(), arrays(0, (B, T, D), (B, H), (B, H))
    layer = given(LSTM(H, path="cell", dropout=0.5, recurrent_dropout=0.25, seed=3, return_sequences=True), w)
    got = layer(x.astype("f"), initial_state=[h.astype("f"), c.astype("f")], training=True)
    cell = given(LSTMCell(H, dropout=0.5, recurrent_dropout=0.25, seed=3), w)
    drop_x = np.asarray(cell.get_dropout_mask(np.ones((B, D), "f")))
    drop_h = np.asarray(cell.get_recurrent_dropout_mask(np.ones((B, H), "f")))
    np.testing.assert_allclose(np.unique(drop_x), [0, 2])
    np.testing.assert_allclose(np.unique(drop_h), [0, 1 / 0.75], rtol=1e-6)
    for t in range(T):
        h, c = oracle.lstm_step(x[:, t] * drop_x, h * drop_h, c, w)
        close(got[:, t], h)
