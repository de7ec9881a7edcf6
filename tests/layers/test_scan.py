"""The parallel scan of minGRU and minLSTM against a loop in NumPy, and what it takes to train on long sequences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.cells.family import close
from zoo import layers
from zoo.layers.scan import linear_scan

LENGTHS = pytest.mark.parametrize("steps", [1, 2, 15, 16, 17, 31, 33, 255, 257, 700])


def coefficients(steps, dtype="float64"):
    rng = np.random.default_rng(steps)
    return rng.uniform(0, 1, (2, steps, 3)).astype(dtype), rng.standard_normal((2, steps, 3)).astype(dtype)


def loop(keep, write):
    h, found = np.zeros_like(keep[:, 0]), []
    for t in range(keep.shape[1]):
        h = keep[:, t] * h + write[:, t]
        found.append(h)
    return np.stack(found, 1)


@LENGTHS
def test_the_scan_is_the_loop_for_any_length(steps):
    keep, write = coefficients(steps)
    close(linear_scan(tf.constant(keep), tf.constant(write)), loop(keep, write), 1e-12)


@LENGTHS
@pytest.mark.parametrize("traced", [False, True])
def test_its_gradient_is_that_of_the_loop(steps, traced):
    keep, write = coefficients(steps)
    d_h = np.random.default_rng(0).standard_normal(keep.shape)

    def slopes(keep, write):
        with tf.GradientTape() as tape:
            tape.watch([keep, write])
            loss = tf.reduce_sum(linear_scan(keep, write) * d_h)
        return tape.gradient(loss, [keep, write])

    free = tf.TensorSpec([None, None, 3], "float64")
    run = tf.function(slopes, input_signature=[free, free]) if traced else slopes
    d_keep, d_write = run(tf.constant(keep), tf.constant(write))
    h, later, want_keep, want_write = loop(keep, write), np.zeros((2, 3)), np.zeros_like(keep), np.zeros_like(keep)
    for t in reversed(range(steps)):
        want_write[:, t] = d_h[:, t] + later
        want_keep[:, t] = want_write[:, t] * (h[:, t - 1] if t else 0)
        later = keep[:, t] * want_write[:, t]
    close(d_write, want_write, 1e-11), close(d_keep, want_keep, 1e-11)


def test_gates_that_close_for_good_keep_every_digit():
    """A closed form divides by the product of all `keep`, which underflows after a few steps here."""
    keep, write = coefficients(400, "float32")
    keep = keep * 1e-3
    got = np.asarray(linear_scan(tf.constant(keep), tf.constant(write)))
    close(got, loop(keep, write), 1e-6)


def log_space_scan(log_keep, log_write, h):
    """The paper's parallel form, appendix B.2: cumulative sums of logarithms."""
    total = np.concatenate([np.zeros_like(log_keep[:, :1]), np.cumsum(log_keep, 1)], 1)
    parts = np.concatenate([np.log(h)[:, None], log_write], 1) - total
    return np.exp(total + np.logaddexp.accumulate(parts, 1))[:, 1:]


def positive(v):
    """The paper's g."""
    return keras.ops.where(v >= 0, v + 0.5, keras.ops.sigmoid(v))


def log_positive(v):
    return np.where(v >= 0, np.log(np.maximum(v, 0) + 0.5), -np.logaddexp(0, -v))


def test_with_the_papers_activation_both_are_its_log_space_form():
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal((2, 30, 3)), rng.uniform(0.5, 1, (2, 4))
    for kind in (layers.MinGRU, layers.MinLSTM):
        layer = kind(4, activation=positive, return_sequences=True, dtype="float64")
        layer.build((None, None, 3))
        *gates, n = np.split(x @ np.asarray(layer.cell.kernel), len(layer.cell.gates), -1)
        if kind is layers.MinGRU:
            log_keep, log_write = -np.logaddexp(0, gates[0]), -np.logaddexp(0, -gates[0])
        else:
            odds = np.logaddexp(0, -gates[0]) - np.logaddexp(0, -gates[1])
            log_keep, log_write = -np.logaddexp(0, odds), -np.logaddexp(0, -odds)
        want = log_space_scan(log_keep, log_write + log_positive(n), h)
        close(layer(tf.constant(x), initial_state=[tf.constant(h)]), want, 1e-10)


@pytest.mark.parametrize("kind", [layers.MinGRU, layers.MinLSTM])
def test_extreme_gates_stay_finite(kind):
    layer = kind(2, return_sequences=True)
    layer.build((None, None, 1))
    layer.cell.kernel.assign(np.full(layer.cell.kernel.shape, 1.0))
    output = np.asarray(layer(np.array([[[1e4], [-1e4], [-200.0], [0.0]]], "f")))
    assert np.isfinite(output).all()


@pytest.mark.parametrize("kind", [layers.MinGRU, layers.MinLSTM])
def test_it_compiles_under_xla_with_any_length(kind):
    layer = kind(4, return_sequences=True)
    layer.build((None, None, 3))
    run = tf.function(layer, jit_compile=True, input_signature=[tf.TensorSpec([None, None, 3])])
    for steps in (5, 40):
        x = np.random.default_rng(0).standard_normal((2, steps, 3)).astype("f")
        close(run(x), layer(x))


@pytest.mark.parametrize("kind", [layers.MinGRU, layers.MinLSTM])
def test_fit_takes_batches_of_different_lengths(kind):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, 3)), kind(4), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    rng = np.random.default_rng(0)
    losses = [model.train_on_batch(rng.standard_normal((4, t, 3)), np.ones((4, 1))) for t in (5, 40, 17) * 5]
    assert losses[-1] < losses[0]
