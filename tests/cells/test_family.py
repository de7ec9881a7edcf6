"""The LSTM family against its NumPy oracle: steps, sequences, masks, states, and gradients by central differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import oracle_family as oracle
from tests.cells.family import FAMILY, MASKS, B, D, H, T, arrays, close, given, problem
from tests.tiers import some
from zoo import layers

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
MEMBERS = pytest.mark.parametrize("member", FAMILY.values(), ids=FAMILY)
EVERYTHING = {"return_sequences": True, "return_state": True}


def floats(*values):
    return [np.asarray(value, "float32") for value in values]


@MEMBERS
def test_one_step_matches_numpy(member):
    cell = member.cell(H, **member.arguments)
    w = given(cell, member.weights, shape=(None, D))
    x, states = problem(member)
    output, new = cell(*floats(x[:, 0]), floats(*states))
    want = member.step(x[:, 0], *states, w)
    close(output, want[0])
    for mine, theirs in zip(new, want, strict=True):
        close(mine, theirs)


@MEMBERS
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_sequence_matches_numpy_under_any_mask(member, mask):
    layer = member.layer(H, **member.arguments, **EVERYTHING)
    w = given(layer, member.weights)
    x, states = problem(member)
    mask = None if mask is None else np.array(mask, bool)
    sequence, *finals = layer(*floats(x), initial_state=floats(*states), mask=mask)
    want = oracle.over_time(member.step, x, tuple(states), w, mask)
    close(sequence, want.sequence)
    for mine, theirs in zip(finals, want.states, strict=True):
        close(mine, theirs)


@MEMBERS
@pytest.mark.parametrize("mask", [None, MASKS["with holes"]], ids=["no mask", "with holes"])
def test_gradients_match_central_differences_of_numpy(member, mask):
    layer = member.layer(H, **member.arguments, **EVERYTHING, dtype="float64")
    w = given(layer, member.weights)
    x, states = problem(member)
    mask = None if mask is None else np.array(mask, bool)
    scales = arrays(2, (B, T, layer.cell.output_size), *((B, size) for size in member.sizes))

    def want(x, states, w):
        run = oracle.over_time(member.step, x, tuple(states), w, mask)
        return sum((value * scale).sum() for value, scale in zip((run.sequence, *run.states), scales, strict=True))

    inputs = [tf.constant(value) for value in (x, *states)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = layer(inputs[0], initial_state=inputs[1:], mask=mask)
        loss = sum(tf.reduce_sum(value * scale) for value, scale in zip(results, scales, strict=True))
    close(loss, want(x, states, w), 1e-9)
    slopes = tape.gradient(loss, [*inputs, *(weight.value for weight in layer.trainable_weights)])
    values = [x, *states, *w.values()]
    for place, direction in enumerate(arrays(3, *(value.shape for value in values))):
        ends = []
        for sign in (1, -1):
            moved = list(values)
            moved[place] = moved[place] + sign * 1e-6 * direction
            ends.append(want(moved[0], moved[1 : 1 + len(states)], dict(zip(w, moved[1 + len(states) :], strict=True))))
        difference = (ends[0] - ends[1]) / 2e-6
        assert abs(float(tf.reduce_sum(slopes[place] * direction)) - difference) < 1e-6 * max(1, abs(difference))


@MEMBERS
@pytest.mark.parametrize("steps", [1, 16, 33])
def test_a_layer_agrees_with_its_cell_under_keras_rnn_at_any_length(member, steps):
    layer = member.layer(H, **member.arguments, **EVERYTHING)
    given(layer, member.weights)
    plain = keras.layers.RNN(member.cell(H, **member.arguments), **EVERYTHING)
    plain.build((None, None, D))
    plain.set_weights(layer.get_weights())
    x, states = problem(member, steps=steps)
    for mine, theirs in zip(
        layer(*floats(x), initial_state=floats(*states)), plain(*floats(x), initial_state=floats(*states)), strict=True
    ):
        close(mine, theirs, 2e-5)


@MEMBERS
def test_a_traced_layer_takes_sequences_of_any_length(member):
    layer = member.layer(H, **member.arguments, **EVERYTHING)
    w = given(layer, member.weights)
    run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec([None, None, D])])
    for steps in (1, 7, 33):
        x, states = problem(member, steps=steps)
        want = oracle.over_time(member.step, x, tuple(0 * state for state in states), w)
        got = run(*floats(x))
        close(got[0], want.sequence, 2e-5), close(got[1], want.states[0], 2e-5)


@MEMBERS
def test_going_backwards_reads_from_the_end(member):
    layer = member.layer(H, **member.arguments, **EVERYTHING, go_backwards=True)
    w = given(layer, member.weights)
    x, states = problem(member)
    mask = np.array(MASKS["with holes"], bool)
    sequence, *finals = layer(*floats(x), initial_state=floats(*states), mask=mask)
    want = oracle.over_time(member.step, x[:, ::-1], tuple(states), w, mask[:, ::-1])
    close(sequence, want.sequence)
    for mine, theirs in zip(finals, want.states, strict=True):
        close(mine, theirs)


@MEMBERS
def test_masked_outputs_are_zero_where_the_layer_wants_that(member):
    layer = member.layer(H, **member.arguments, return_sequences=True, zero_output_for_mask=True)
    w = given(layer, member.weights)
    x, states = problem(member)
    mask = np.array(MASKS["with holes"], bool)
    want = oracle.over_time(member.step, x, tuple(0 * state for state in states), w, mask).sequence
    close(layer(*floats(x), mask=mask), want * mask[:, :, None])


@MEMBERS
def test_two_calls_of_a_stateful_layer_are_one_long_call(member):
    layer = member.layer(H, **member.arguments, return_sequences=True, stateful=True)
    layer.build((B, T, D))
    w = {name: np.asarray(value, "f8") for name, value in zip(member.weights, layer.get_weights(), strict=False)}
    x, states = problem(member)
    parts = [np.asarray(layer(*floats(part))) for part in (x[:, :2], x[:, 2:])]
    want = oracle.over_time(member.step, x, tuple(0 * state for state in states), w).sequence
    close(np.concatenate(parts, 1), want)
    layer.reset_state()
    close(layer(*floats(x[:, :2])), want[:, :2])


@MEMBERS
def test_bidirectional_runs_both_ways(member):
    layer = keras.layers.Bidirectional(member.layer(H, **member.arguments, return_sequences=True))
    layer.build((None, None, D))
    x, states = problem(member)
    mask = np.array(MASKS["with holes"], bool)
    got = np.asarray(layer(*floats(x), mask=mask))
    sides, start = [], tuple(0 * state for state in states)
    for side, way in ((layer.forward_layer, 1), (layer.backward_layer, -1)):
        w = {name: np.asarray(value, "f8") for name, value in zip(member.weights, side.get_weights(), strict=False)}
        sides.append(oracle.over_time(member.step, x[:, ::way], start, w, mask[:, ::way]).sequence[:, ::way])
    close(got, np.concatenate(sides, -1) * mask[:, :, None])  # Keras sets zero_output_for_mask on both sides


@MEMBERS
def test_mixed_precision_computes_in_half_and_keeps_its_weights_in_full(member):
    for policy, tolerance in (("mixed_float16", 2e-2), ("mixed_bfloat16", 0.15)):
        layer = member.layer(H, **member.arguments, return_sequences=True, dtype=policy)
        w = given(layer, member.weights)
        x, states = problem(member)
        output = layer(*floats(x))
        assert (output.dtype, layer.weights[0].dtype) == (policy.removeprefix("mixed_"), "float32")
        want = oracle.over_time(member.step, x, tuple(0 * state for state in states), w).sequence
        close(tf.cast(output, "float32"), want, tolerance * max(1, np.abs(want).max()))


@MEMBERS
def test_without_bias_there_is_none(member):
    layer = member.layer(H, **member.arguments, return_sequences=True, use_bias=False)
    names = [name for name in member.weights if "bias" not in name]
    w = given(layer, names)
    zeros = {"bias": np.zeros((2, layer.cell.kernel.shape[1])), "cell_bias": np.zeros(H)}
    if member.layer is not layers.LayerNormGRU:
        zeros["bias"] = zeros["bias"][0]
    x, states = problem(member)
    want = oracle.over_time(member.step, x, tuple(0 * state for state in states), zeros | w).sequence
    close(layer(*floats(x)), want)


@MEMBERS
def test_dropout_drops_the_same_inputs_and_hidden_units_at_every_step(member):
    recurrent = "recurrent_kernel" in member.weights
    rates = {"dropout": 0.5, "seed": 3} | ({"recurrent_dropout": 0.25} if recurrent else {})
    layer = member.layer(H, **member.arguments, return_sequences=True, **rates)
    given(layer, member.weights)
    x, _ = problem(member)
    got = np.asarray(layer(*floats(x), training=True))
    twin = member.layer(H, **member.arguments, return_sequences=True, **rates)
    twin.build((None, None, D))
    for mine, theirs in zip(twin.trainable_weights, layer.trainable_weights, strict=True):
        mine.assign(theirs.value)
    cell, states = twin.cell, twin.get_initial_state(B)
    for t in range(T):
        output, states = cell(*floats(x[:, t]), states, training=True)
        close(got[:, t], output)
    mask = np.asarray(cell.get_dropout_mask(np.ones((B, D), "f")))
    assert set(np.unique(mask)) <= {0, 2}
    if recurrent:
        kept = np.asarray(cell.get_recurrent_dropout_mask(np.ones((B, cell.output_size), "f")))
        np.testing.assert_allclose(kept * 0.75, np.round(kept * 0.75), atol=1e-6)


@pytest.mark.parametrize("member", some(FAMILY.values(), 3), ids=FAMILY)
def test_training_lowers_the_loss(member):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, D)), member.layer(8, **member.arguments), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x, _ = problem(member)
    history = model.fit(*floats(x, [[1.0], [-1.0], [0.0]]), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
