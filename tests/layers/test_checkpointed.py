"""Gradient checkpointing over time: outputs and gradients are those of the layer alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import oracle
from tests.tiers import some, thorough
from zoo.cells import LSTMCell, ZoneoutCell
from zoo.errors import InvalidInput
from zoo.layers import GRU, LSTM, RNN, Checkpointed, PeepholeLSTM, checkpointed

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 11, 3)).astype("float32")
MASK = RNG.random((2, 11)) < 0.6
LAYERS = {
    "lstm": LSTM,
    "gru": GRU,
    "simple_rnn": keras.layers.SimpleRNN,
    "keras": keras.layers.LSTM,
    "family": PeepholeLSTM,
}


def pair(kind, segment=4, **options):
    """A layer alone and the same layer, same weights, checkpointed."""
    alone = kind(3, **options)
    alone.build((None, None, 3))
    wrapped = Checkpointed(kind(3, **options), segment=segment)
    wrapped.build((None, None, 3))
    wrapped.set_weights(alone.get_weights())
    return alone, wrapped


def gradients(layer, x, mask=None, initial_state=None, compiled=True):
    """A scalar of every output, and its gradients with respect to x, the states and the weights."""
    given = [tf.constant(x), *map(tf.constant, initial_state or [])]

    def compute(*given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            states = {"initial_state": list(given[1:])} if initial_state else {}
            outputs = layer(given[0], mask=mask, training=True, **states)
            loss = sum(tf.reduce_sum(tf.sin(3 * part)) for part in tf.nest.flatten(outputs))
        return [loss, *tape.gradient(loss, [*given, *(weight.value for weight in layer.trainable_variables)])]

    return [np.array(value) for value in (tf.function(compute, autograph=False) if compiled else compute)(*given)]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize(
    ("kind", "masked"),
    some([("lstm", True), ("lstm", False), ("gru", False), ("simple_rnn", False), ("keras", False), ("family", True)]),
)
def test_gradients_are_those_of_the_layer_alone(kind, masked):
    """Masked every output of a sequence, whole the last one."""
    mask = MASK if masked else None
    alone, wrapped = pair(LAYERS[kind], return_sequences=masked)
    assert_equal(gradients(wrapped, X, mask), gradients(alone, X, mask, compiled=False))


@pytest.mark.parametrize("segment", some([1, 5, 50, None]))
def test_any_length_of_segment_gives_the_same(segment):
    alone, wrapped = pair(GRU, segment, return_sequences=True)
    assert_equal(gradients(wrapped, X), gradients(alone, X, compiled=False))


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_what_other_backends_run_gives_the_same(monkeypatch, mask):
    alone, wrapped = pair(keras.layers.GRU, return_sequences=True)
    expected = gradients(alone, X, mask, compiled=False)
    monkeypatch.setattr(checkpointed.keras.backend, "backend", lambda: "another")
    assert_equal(gradients(wrapped, X, mask), expected)


def test_gradients_without_a_graph_are_the_same():
    alone, wrapped = pair(LSTM)
    assert_equal(gradients(wrapped, X, compiled=False), gradients(alone, X, compiled=False))


def test_gradients_under_xla_are_the_same():
    alone, wrapped = pair(keras.layers.GRU, 5)
    loss = tf.function(lambda: gradients_of_sum(wrapped), autograph=False, jit_compile=True)
    assert_equal([np.array(value) for value in loss()], [np.array(value) for value in gradients_of_sum(alone)])


def gradients_of_sum(layer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.constant(X), training=True))
    return tape.gradient(loss, [weight.value for weight in layer.trainable_variables])


def test_gradients_are_the_oracles():
    _, wrapped = pair(LSTM, return_sequences=True)
    w = oracle.Weights(*(np.array(weight, "float64") for weight in wrapped.get_weights()))
    zeros = np.zeros((2, 3))
    slope = RNG.standard_normal((2, 11, 3))
    expected = oracle.lstm_gradients(X.astype("float64"), zeros, zeros, w, slope, zeros, zeros)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wrapped(X, training=True) * slope.astype("float32"))
    found = tape.gradient(loss, [weight.value for weight in wrapped.trainable_variables])
    for one, other in zip(found, (expected.kernel, expected.recurrent_kernel, expected.bias), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_initial_and_final_states_have_their_gradients():
    alone, wrapped = pair(LSTM, return_state=True)
    states = [RNG.standard_normal((2, 3)).astype("float32") for _ in range(2)]
    assert len(wrapped(X, initial_state=states, training=True)) == 3
    found = gradients(wrapped, X, initial_state=states)
    assert_equal(found, gradients(alone, X, initial_state=states, compiled=False))


@thorough
def test_fit_learns_what_the_layer_alone_learns():
    kernels = []
    for layer in (LSTM(3), Checkpointed(LSTM(3), segment=4)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((11, 3)), layer, keras.layers.Dense(1)])
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
        model.compile("adam", "mse", jit_compile=False, run_eagerly=isinstance(layer, LSTM))
        model.fit(X, np.ones((2, 1)), epochs=3, verbose=0)
        kernels.append(model.get_weights())
    assert_equal(*kernels)


def test_outside_training_the_layer_runs_whole():
    alone, wrapped = pair(GRU, return_sequences=True)
    np.testing.assert_allclose(wrapped(X, mask=MASK), alone(X, mask=MASK), atol=1e-6)
    free = keras.Input((None, 3))
    model = keras.Model(free, wrapped(free))
    np.testing.assert_allclose(model.predict(X[:, :6], verbose=0), alone(X[:, :6]), atol=1e-5)


def test_a_saved_model_comes_back(tmp_path):
    frames = keras.Input((11, 3))
    model = keras.Model(frames, Checkpointed(GRU(3, return_sequences=True), segment=4)(frames))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[1].segment == 4 and again.output_shape == (None, 11, 3)
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


def test_shapes_are_those_of_the_layer():
    for options in ({}, {"return_sequences": True}, {"return_state": True}):
        alone, wrapped = pair(LSTM, **options)
        assert wrapped.compute_output_shape((None, 11, 3)) == alone.compute_output_shape((None, 11, 3))


def fails(call, text):
    with pytest.raises(InvalidInput) as error:
        call()
    assert str(error.value) == text


def test_what_cannot_be_cut_is_refused():
    fails(lambda: Checkpointed(keras.layers.Dense(3)), "Checkpointed wraps a recurrent layer, not Dense.")
    fails(lambda: Checkpointed(GRU(3), segment=0), "segment=0 holds no step: give a number from 1 up.")
    fails(
        lambda: Checkpointed(GRU(3, dropout=0.5, name="gru")),
        "Layer 'gru' has dropout=0.5: its second run would draw another mask. "
        "Put a Dropout layer before or after it instead.",
    )
    with pytest.raises(InvalidInput, match=r"^Layer 'rnn' has cell_rate=0\.5: "):
        Checkpointed(RNN(ZoneoutCell(LSTMCell(3), cell_rate=0.5), name="rnn"))
    inside = RNN(ZoneoutCell(LSTMCell(3, dropout=0.5)), name="rnn")
    with pytest.raises(InvalidInput, match=r"^Layer 'rnn' has dropout=0\.5: "):
        Checkpointed(inside)
    fails(
        lambda: Checkpointed(RNN([LSTMCell(3), LSTMCell(2)], name="rnn")),
        "Layer 'rnn' has 2 cells: give each a layer of its own.",
    )
    fails(
        lambda: Checkpointed(GRU(3, name="gru", activity_regularizer="l2")),
        "Layer 'gru' has an activity_regularizer, which would be lost between the segments. "
        "Put an ActivityRegularization layer behind it instead.",
    )
    fails(
        lambda: keras.layers.Bidirectional(Checkpointed(GRU(3))),
        "Checkpointed cannot stand inside Bidirectional: use two of them, the second on keras.ops.flip(x, 1).",
    )
    for name in ("stateful", "unroll", "go_backwards"):
        fails(
            lambda name=name: Checkpointed(GRU(3, name="gru", **{name: True})),
            f"Layer 'gru' has {name}=True, which Checkpointed cannot run in segments.",
        )


def test_one_state_needs_no_list():
    wrapped, state = Checkpointed(GRU(3)), np.ones((2, 3), "float32")
    one, listed = (wrapped(X, initial_state=given, training=True) for given in (state, [state]))
    np.testing.assert_array_equal(one, listed)


def test_a_sequence_of_no_steps_is_refused():
    with pytest.raises(InvalidInput, match=r"Layer 'gru' was given a sequence of 0 steps: give at least 1\."):
        Checkpointed(GRU(3, name="gru"))(X[:, :0], training=True)


def test_a_sequence_of_unknown_length_is_refused_in_training():
    wrapped = Checkpointed(GRU(3), name="long")
    wrapped.build((None, None, 3))
    run = tf.function(
        lambda x: wrapped(x, training=True), input_signature=[tf.TensorSpec((1, None, 3))], autograph=False
    )
    with pytest.raises(InvalidInput) as error:
        run(X[:1])
    text = "Layer 'long' cannot cut a sequence of unknown length: give the steps in the Input's shape."
    assert text in str(error.value)  # Keras adds the arguments of the call
