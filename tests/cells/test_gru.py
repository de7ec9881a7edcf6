"""The GRU cell and layer, in both reset forms, against the NumPy oracle and the ONNX reference evaluator."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests import oracle
from zoo.cells import GRUCell
from zoo.layers import GRU

B, T, D, H = 3, 6, 4, 5
TOLERANCE = 1e-5
PATHS = ("cell", "auto")
VARIANTS = pytest.mark.parametrize(
    ("reset_after", "use_bias"),
    [(True, True), (True, False), (False, True), (False, False)],
    ids=["after", "after, no bias", "before", "before, no bias"],
)


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def weights(reset_after, use_bias=True):
    bias_shape = (2, 3 * H) if reset_after else (3 * H,)
    kernel, recurrent_kernel, bias = arrays(1, (D, 3 * H), (H, 3 * H), bias_shape)
    return oracle.Weights(kernel, recurrent_kernel, bias if use_bias else None)


def given(layer, w):
    layer.build((B, T, D) if isinstance(layer, keras.layers.RNN) else (B, D))
    layer.set_weights([value for value in (w.kernel, w.recurrent_kernel, w.bias) if value is not None])
    return layer


def close(got, want):
    np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=TOLERANCE)


@VARIANTS
def test_one_step_of_the_cell_matches_the_oracle(reset_after, use_bias):
    w, (x, h) = weights(reset_after, use_bias), arrays(0, (B, D), (B, H))
    cell = given(GRUCell(H, reset_after=reset_after, use_bias=use_bias), w)
    output, (state,) = cell(x.astype("f"), [h.astype("f")])
    want = oracle.gru_step(x, h, w, reset_after)
    close(output, want), close(state, want)


def test_a_single_state_comes_back_as_it_was_given():
    w, (x, h) = weights(True), arrays(0, (B, D), (B, H))
    output, state = given(GRUCell(H), w)(x.astype("f"), h.astype("f"))
    want = oracle.gru_step(x, h, w, True)
    close(output, want), close(state, want)


@pytest.mark.parametrize("path", PATHS)
@VARIANTS
def test_a_sequence_matches_the_oracle_at_every_step(path, reset_after, use_bias):
    w, (x, h) = weights(reset_after, use_bias), arrays(0, (B, T, D), (B, H))
    layer = GRU(H, path=path, reset_after=reset_after, use_bias=use_bias, return_sequences=True, return_state=True)
    sequence, state = given(layer, w)(x.astype("f"), initial_state=[h.astype("f")])
    want = oracle.gru(x, h, w, reset_after)
    close(sequence, want.sequence), close(state, want.states[0])


@pytest.mark.parametrize("path", PATHS)
@VARIANTS
def test_every_gradient_matches_backpropagation_by_hand(path, reset_after, use_bias):
    w, (x, h) = weights(reset_after, use_bias), arrays(0, (B, T, D), (B, H))
    d_sequence, d_h = arrays(2, (B, T, H), (B, H))
    layer = GRU(H, path=path, reset_after=reset_after, use_bias=use_bias, return_sequences=True, return_state=True)
    given(layer, w)
    inputs = [tf.constant(value, "float32") for value in (x, h)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = layer(inputs[0], initial_state=inputs[1:])
        loss = sum(tf.reduce_sum(a * tf.cast(b, "float32")) for a, b in zip(results, (d_sequence, d_h), strict=True))
    got_x, got_h, *got_weights = tape.gradient(loss, inputs + [v.value for v in layer.trainable_variables])
    want = oracle.gru_gradients(x, h, w, d_sequence, d_h, reset_after)
    assert max(np.abs(want.kernel).max(), np.abs(want.recurrent_kernel).max()) < 100
    close(got_x, want.x), close(got_h, want.states[0])
    wanted = [want.kernel, want.recurrent_kernel] + ([want.bias] if use_bias else [])
    for got, expected in zip(got_weights, wanted, strict=True):
        close(got, expected)


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_oracle_gradients_match_central_differences(reset_after):
    w, (x, h) = weights(reset_after), arrays(0, (B, T, D), (B, H))
    d_sequence, d_h = arrays(2, (B, T, H), (B, H))
    given_values = [x, h, w.kernel, w.recurrent_kernel, w.bias]

    def loss(x, h, *parts):
        run = oracle.gru(x, h, oracle.Weights(*parts), reset_after)
        return (run.sequence * d_sequence).sum() + (run.states[0] * d_h).sum()

    want = oracle.gru_gradients(x, h, w, d_sequence, d_h, reset_after)
    flat = [want.x, *want.states, want.kernel, want.recurrent_kernel, want.bias]
    for place, direction in enumerate(arrays(3, *(value.shape for value in given_values))):
        ahead, behind = list(given_values), list(given_values)
        ahead[place], behind[place] = ahead[place] + 1e-5 * direction, behind[place] - 1e-5 * direction
        slope = (loss(*ahead) - loss(*behind)) / 2e-5
        assert abs(slope - (flat[place] * direction).sum()) < 1e-6


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("reset_after", [True, False])
def test_a_sequence_matches_the_onnx_reference_evaluator(path, reset_after):
    w, (x, h) = weights(reset_after), arrays(0, (B, T, D), (B, H))
    layer = given(GRU(H, path=path, reset_after=reset_after, return_sequences=True, return_state=True), w)
    got = layer(x.astype("f"), initial_state=[h.astype("f")])
    for mine, theirs in zip(got, onnx_gru(x, h, w, reset_after), strict=True):
        close(mine, theirs)


def onnx_gru(x, h, w, reset_after):
    """ONNX shares Keras' gate order z, r, h; `linear_before_reset` is its name for `reset_after`."""
    bias = np.concatenate(w.bias) if reset_after else np.concatenate([w.bias, np.zeros(3 * H)])
    named = {"W": w.kernel.T[None], "R": w.recurrent_kernel.T[None], "B": bias[None]}
    node = helper.make_node(
        "GRU", ["X", *named, "", "h0"], ["Y", "h"], hidden_size=H, linear_before_reset=int(reset_after)
    )

    def infos(names):
        return [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]

    constants = [numpy_helper.from_array(value.astype("float32"), name) for name, value in named.items()]
    graph = helper.make_graph([node], "reference", infos(["X", "h0"]), infos(node.output), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    feeds = {"X": x.transpose(1, 0, 2).astype("float32"), "h0": h[None].astype("float32")}
    y, h = ReferenceEvaluator(model).run(None, feeds)
    return y[:, 0].transpose(1, 0, 2), h[0]


MASKS = {
    "right padded": [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
    "left padded": [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1]],
    "with holes": [[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 1, 1]],
    "with an empty row": [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]],
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_masked_steps_keep_the_previous_state(path, mask):
    w, (x, h) = weights(True), arrays(0, (B, T, D), (B, H))
    mask = np.array(mask, bool)
    layer = given(GRU(H, path=path, return_sequences=True, return_state=True), w)
    sequence, state = layer(x.astype("f"), mask=mask, initial_state=[h.astype("f")])
    want = oracle.gru(x, h, w, True, mask)
    close(sequence, want.sequence), close(state, want.states[0])


@pytest.mark.parametrize("kind", [GRUCell, GRU])
@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("rate", [7.0, 1.0, -0.1, float("nan"), "half"])
def test_a_dropout_rate_out_of_range_raises(kind, name, rate):
    with pytest.raises(ValueError, match="is not a dropout rate") as error:
        kind(H, **{name: rate})
    assert str(error.value) == f"{name}={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1."


@pytest.mark.parametrize("reset_after", [True, False])
def test_dropout_drops_the_same_inputs_and_hidden_units_at_every_step(reset_after):
    """The state that z carries over is never dropped, only what the matrix products read."""
    w, (x, h) = weights(reset_after), arrays(0, (B, T, D), (B, H))
    rates = {"dropout": 0.5, "recurrent_dropout": 0.25, "seed": 3, "reset_after": reset_after}
    got = given(GRU(H, path="cell", return_sequences=True, **rates), w)(
        x.astype("f"), initial_state=[h.astype("f")], training=True
    )
    cell = given(GRUCell(H, **rates), w)
    drop_x = np.asarray(cell.get_dropout_mask(np.ones((B, D), "f")))
    drop_h = np.asarray(cell.get_recurrent_dropout_mask(np.ones((B, H), "f")))
    assert 0 in drop_x
    assert 0 in drop_h
    for t in range(T):
        z, _, n, _ = oracle._gru_gates(x[:, t] * drop_x, h * drop_h, w, reset_after)
        h = z * h + (1 - z) * n
        close(got[:, t], h)
