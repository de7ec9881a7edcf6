"""Truncated backpropagation through time: pieces with the state carried on."""

import keras
import numpy as np
import pytest

from tests import oracle
from zoo.errors import InvalidInput
from zoo.layers import LSTM
from zoo.recipes.truncated import reset, train_on_sequence

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 10, 3)).astype("float32")
Y = RNG.standard_normal((2, 10, 4)).astype("float32")


def model_of(stateful=True):
    frames = keras.Input(batch_shape=(2, None, 3))
    model = keras.Model(frames, LSTM(4, return_sequences=True, stateful=stateful, name="lstm")(frames), name="long")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
    reset(model)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def expected_after(pieces):
    """Weights after one step of gradient descent a piece, by the oracle; and the mean loss."""
    kernel, recurrent, bias = (np.array(weight, "float64") for weight in model_of().trainable_weights)
    h = c = np.zeros((2, 4))
    total = 0.0
    for piece in pieces:
        w, x, y = oracle.Weights(kernel, recurrent, bias), X[:, piece].astype("float64"), Y[:, piece]
        run = oracle.lstm(x, h, c, w)
        slope = 2 * (run.sequence - y) / y.size
        gradient = oracle.lstm_gradients(x, h, c, w, slope, np.zeros((2, 4)), np.zeros((2, 4)))
        kernel, recurrent = kernel - 0.1 * gradient.kernel, recurrent - 0.1 * gradient.recurrent_kernel
        bias = bias - 0.1 * gradient.bias
        total += float(np.mean((run.sequence - y) ** 2)) * x.shape[1]
        h, c = run.states
    return (kernel, recurrent, bias), total / X.shape[1]


@pytest.mark.parametrize("steps", [3, 5, 10, 40])
def test_every_piece_is_a_step_of_descent_from_the_carried_state(steps):
    model = model_of()
    loss = train_on_sequence(model, X, Y, steps)
    weights, expected = expected_after([slice(at, at + steps) for at in range(0, 10, steps)])
    assert loss == pytest.approx(expected, rel=1e-4)
    for found, wanted in zip(model.trainable_weights, weights, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_sequence_starts_from_zero_states():
    model = model_of()
    weights = model.get_weights()
    first = train_on_sequence(model, X, Y, 5)
    states = [np.array(state) for state in model.get_layer("lstm").states]
    assert all(np.abs(state).max() > 0 for state in states)
    model.set_weights(weights)
    model.get_layer("lstm").states[0].assign(np.ones((2, 4)))
    assert train_on_sequence(model, X, Y, 5) == pytest.approx(first, rel=1e-5)


def fails(call, text):
    with pytest.raises(InvalidInput) as error:
        call()
    assert str(error.value) == text


def test_what_cannot_be_carried_is_refused():
    fails(lambda: train_on_sequence(model_of(), X, Y, 0), "steps=0 is no piece of a sequence: give a number from 1 up.")
    fails(
        lambda: train_on_sequence(model_of(), X, Y[:, :9], 3),
        "x is [2, 10] and y [2, 9]: both need a value for every step.",
    )
    fails(
        lambda: train_on_sequence(model_of(stateful=False), X, Y, 3),
        "Model 'long' carries no state from piece to piece: layer 'lstm' is not; set stateful=True.",
    )
    plain = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(4)], name="plain")
    fails(
        lambda: train_on_sequence(plain, X, Y, 3),
        "Model 'plain' carries no state from piece to piece: it has no recurrent layer; set stateful=True.",
    )
