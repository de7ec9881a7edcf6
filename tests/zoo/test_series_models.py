"""Forecasters, autoencoder and pixel reader against the equations in their docstrings, written again in NumPy."""

import keras
import numpy as np
import pytest

from tests import oracle
from zoo import models
from zoo.errors import InvalidInput
from zoo.models.pixel_classifier import order

FORECASTER = {
    "recurrence": "gru",
    "columns": ["load", "oil"],
    "mean": [3.0, 20.0],
    "deviation": [2.0, 5.0],
    "hours": 1.0,
    "look_back": 6,
    "horizon": 4,
    "segment": 2,
    "units": 4,
}
QUANTILES = {
    "recurrence": "gru",
    "columns": ["pm2.5"],
    "features": 3,
    "mean": 4.0,
    "deviation": 1.5,
    "hours": 1.0,
    "look_back": 5,
    "horizon": 3,
    "units": 4,
    "quantiles": [0.1, 0.5, 0.9],
}
AUTOENCODER = {"recurrence": "lstm", "steps": 6, "frame": 2, "units": 4, "code": 2}
PIXELS = {"recurrence": "lstm", "units": [4, 5], "joined": [3], "pixels": 9, "classes": 3}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def built(family, config, rng):
    """A model whose weights all matter, the ones that start at zero too."""
    model = models.build(family, config)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def weights(layer):
    cell = getattr(layer, "cell", layer)
    return oracle.Weights(*(np.asarray(value, "float64") for value in cell.get_weights()[:3]))


def dense(model, name, x):
    kernel, bias = (np.asarray(value, "float64") for value in model.get_layer(name).get_weights())
    return x @ kernel + bias


def run(model, x):
    outputs = model(x)
    return [np.asarray(output) for output in outputs] if isinstance(outputs, list) else np.asarray(outputs)


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_a_forecast_is_what_the_equations_say(recurrence, rng):
    model = built("forecaster", {**FORECASTER, "recurrence": recurrence}, rng)
    x = rng.normal(10, 4, (3, 6, 2)).astype("float32")
    forecast, standardised = run(model, x)
    mean, deviation = np.array(FORECASTER["mean"]), np.array(FORECASTER["deviation"])
    z = (x - mean) / deviation
    places = model.get_layer("places")
    position, column = np.asarray(places.position)[0], np.asarray(places.column)[:, 0]
    w, zeros = weights(model.get_layer(recurrence)), np.zeros((1, 4))
    for example in range(3):
        for index in range(2):
            change = z[example, :, index] - z[example, -1, index]
            segments = np.maximum(dense(model, "segment_in", change.reshape(1, 3, 2)), 0)
            if recurrence == "gru":
                states = oracle.gru(segments, zeros, w).states
            else:
                states = oracle.lstm(segments, zeros, zeros, w).states
            for place in range(2):
                query = np.concatenate([position[place], column[index]])[None]
                h = (
                    oracle.gru_step(query, states[0], w, True)
                    if recurrence == "gru"
                    else oracle.lstm_step(query, *states, w)[0]
                )
                expected = dense(model, "segment_out", h)[0] + z[example, -1, index]
                found = standardised[example, 2 * place : 2 * place + 2, index]
                np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(forecast, standardised * deviation + mean, atol=1e-4)


def test_a_shift_of_the_past_shifts_the_forecast(rng):
    model = built("forecaster", FORECASTER, rng)
    x = rng.normal(10, 4, (2, 6, 2)).astype("float32")
    shift = np.array([7.0, -30.0], "float32")
    np.testing.assert_allclose(run(model, x + shift)[0], run(model, x)[0] + shift, atol=1e-4)


def test_a_column_is_forecast_from_its_own_past(rng):
    model = built("forecaster", FORECASTER, rng)
    x = rng.normal(10, 4, (2, 6, 2)).astype("float32")
    other = x.copy()
    other[..., 1] += rng.normal(size=(2, 6))
    np.testing.assert_allclose(run(model, other)[0][..., 0], run(model, x)[0][..., 0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recurrence": "qrnn"}, "recurrence='qrnn' is unknown; use one of lstm, gru."),
        ({"mean": [1.0]}, "mean=[1.0] must hold one number for each column."),
        ({"horizon": 5}, "horizon=5 is no multiple of segment=2."),
        ({"look_back": 7}, "look_back=7 is no multiple of segment=2."),
        ({"units": 3}, "units=3 must be even: half say where a segment is, half which column."),
    ],
)
def test_a_forecaster_that_cannot_be_built_says_why(change, message):
    with pytest.raises(InvalidInput) as error:
        models.build("forecaster", {**FORECASTER, **change})
    assert str(error.value) == message


def air(rng, examples=3):
    x = rng.normal(0, 1, (examples, 5, 3)).astype("float32")
    x[..., 0] = np.exp(rng.normal(4, 1, (examples, 5)))
    x[:, ::2, 0] = -1
    return x


def test_quantiles_are_what_the_equations_say(rng):
    model = built("quantile_forecaster", QUANTILES, rng)
    interval = model.get_layer("interval")
    interval.below.assign([0.5, 1.0, 2.0])
    interval.above.assign([1.5, 0.7, 1.0])
    x = air(rng)
    measured = (x[..., :1] >= 0).astype("float64")
    level = np.where(measured, (np.log1p(np.maximum(x[..., :1], 0)) - 4.0) / 1.5, 0)
    seen = np.concatenate([level, measured, x[..., 1:]], -1)  # the normalisation was not adapted: mean 0, variance 1
    state = oracle.gru(seen, np.zeros((3, 4)), weights(model.get_layer("gru"))).states[0]
    middle, a, b = np.moveaxis(dense(model, "head", np.concatenate([state, seen[:, -1]], -1)).reshape(3, 3, 3), -1, 0)
    below, above = (np.where(d > 0, 1 + d, np.exp(d)) for d in (a, b))
    below, above = below * [0.5, 1.0, 2.0], above * [1.5, 0.7, 1.0]
    quantiles = np.stack([middle - below, middle, middle + above], -1)
    expected = np.maximum(np.expm1(np.minimum(quantiles * 1.5 + 4.0, 8)), 0)
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-3, atol=1e-3)


def test_quantiles_never_cross(rng):
    model = built("quantile_forecaster", QUANTILES, rng)
    quantiles = run(model, air(rng, 200))
    assert (np.diff(quantiles, axis=-1) >= 0).all() and quantiles.min() >= 0


def test_what_was_not_measured_is_not_read_as_a_number(rng):
    model = built("quantile_forecaster", QUANTILES, rng)
    x = air(rng)
    other = np.where(x < 0, -77, x)
    other[..., 1:] = x[..., 1:]
    np.testing.assert_allclose(run(model, other), run(model, x), rtol=1e-6)


def test_a_quantile_forecaster_wants_rising_quantiles():
    with pytest.raises(InvalidInput) as error:
        models.build("quantile_forecaster", {**QUANTILES, "quantiles": [0.5, 0.1, 0.9]})
    assert str(error.value) == "quantiles=[0.5, 0.1, 0.9] must rise from above 0 to below 1."


def test_an_anomaly_score_is_what_the_equations_say(rng):
    model = built("autoencoder", AUTOENCODER, rng)
    model.get_layer("score").threshold.assign(0.25)
    x = rng.normal(size=(5, 6, 1)).astype("float32")
    score, reconstruction = run(model, x)
    zeros = np.zeros((5, 4))
    last = oracle.lstm(x.reshape(5, 3, 2), zeros, zeros, weights(model.get_layer("encoder"))).states[0]
    code = np.repeat(dense(model, "code", last)[:, None], 3, 1)
    drawn = dense(model, "drawn", oracle.lstm(code, zeros, zeros, weights(model.get_layer("decoder"))).sequence)
    np.testing.assert_allclose(reconstruction, drawn.reshape(5, 6, 1), atol=1e-5)
    np.testing.assert_allclose(score[:, 0], np.mean((x - drawn.reshape(5, 6, 1)) ** 2, (1, 2)) / 0.25, rtol=1e-4)


def test_an_autoencoder_cuts_its_series_into_whole_frames():
    with pytest.raises(InvalidInput) as error:
        models.build("autoencoder", {**AUTOENCODER, "frame": 4})
    assert str(error.value) == "steps=6 is no multiple of frame=4."


def test_pixels_are_read_in_their_own_order_by_a_pyramid(rng):
    model = built("pixel_classifier", {**PIXELS, "permutation": 5}, rng)
    x = rng.integers(0, 256, (4, 9, 1)).astype("float32")
    lower, upper = np.zeros((4, 4)), np.zeros((4, 5))
    states = oracle.lstm(x[:, order(5, 9)] / 255, lower, lower, weights(model.get_layer("lstm_1"))).sequence
    joined = np.stack([np.concatenate([states[:, at + step] for step in range(3)], -1) for at in (0, 3, 6)], 1)
    last = oracle.lstm(joined, upper, upper, weights(model.get_layer("lstm_2"))).states[0]
    np.testing.assert_allclose(run(model, x), dense(model, "logits", last), atol=1e-5)


def test_the_order_of_permuted_mnist_is_recorded():
    found = order(92916, 784)
    assert sorted(found.tolist()) == list(range(784))
    assert found[:6].tolist() == [283, 28, 288, 783, 276, 553]


@pytest.mark.parametrize("recurrence", ["lstm", "gru"])
def test_units_start_with_memories_as_long_as_their_layer_needs(recurrence):
    keras.utils.set_random_seed(0)
    config = {**PIXELS, "recurrence": recurrence, "pixels": 784, "units": [64, 64], "joined": [7]}
    model = models.build("pixel_classifier", config)
    for layer, longest in ((f"{recurrence}_1", 7), (f"{recurrence}_2", 112)):
        bias = np.asarray(model.get_layer(layer).cell.bias)
        keep = np.exp(bias[64:128] if recurrence == "lstm" else bias[0, :64])
        assert 1 <= keep.min() < longest / 4 and longest * 3 / 4 < keep.max() <= longest - 1


@pytest.mark.parametrize(
    ("joined", "text"),
    [
        ([], "joined=[] must hold one number for every layer but the last of units=[4, 5]."),
        ([4], "joined=[4] must divide the 9 pixels without a rest."),
        ([0], "joined=[0] must hold positive numbers."),
    ],
)
def test_a_pyramid_joins_whole_groups_between_its_layers(joined, text):
    with pytest.raises(InvalidInput) as error:
        models.build("pixel_classifier", {**PIXELS, "joined": joined})
    assert str(error.value) == text


def test_an_unknown_recurrence_cannot_read_pixels():
    with pytest.raises(InvalidInput) as error:
        models.build("pixel_classifier", {**PIXELS, "recurrence": "qrnn"})
    assert str(error.value) == "recurrence='qrnn' is unknown; use one of lstm, gru."
