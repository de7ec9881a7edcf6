import dataclasses

import numpy as np
import pytest

from tests.tiers import thorough
from zoo import datasets, loading, models, recipes
from zoo.datasets import Split, Splits
from zoo.evaluation import METRICS, coverage
from zoo.recipes import calibration, training


def test_the_threshold_makes_the_fewest_errors_there_are():
    rng = np.random.default_rng(0)
    anomalous = rng.integers(0, 2, 300)
    scores = rng.normal(anomalous, 0.7)
    errors = [np.sum((scores > candidate) != anomalous) for candidate in (scores.min() - 1, *scores)]
    found = calibration.best_threshold(scores, anomalous)
    assert np.sum((scores > found) != anomalous) == min(errors)
    assert found not in scores  # halfway between two


def test_an_interval_leaves_a_tenth_on_either_side_of_every_hour():
    rng = np.random.default_rng(0)
    level = rng.normal(8, 1, (4000, 2))
    y = np.expm1(level + rng.normal(0, [0.5, 1.0], (4000, 2)))
    y[::7] = -1
    arms = level[..., None] + np.array([-0.3, 0.0, 0.3])
    below, above = calibration.arm_factors(np.expm1(arms), y)
    calibrated = np.expm1(np.stack([level - 0.3 * below, level, level + 0.3 * above], -1))
    measured = y[:, 0] >= 0
    low, high = (np.mean(test[measured], 0) for test in (y < calibrated[..., 0], y > calibrated[..., 2]))
    np.testing.assert_allclose([low, high], 0.1, atol=0.001)
    assert below[1] > 1.5 * below[0]  # the second hour is twice as uncertain
    assert coverage(y, calibrated) == pytest.approx(0.8, abs=0.001)


def test_a_model_is_calibrated_in_its_own_weights():
    rng = np.random.default_rng(0)
    model = models.build("autoencoder", {"recurrence": "lstm", "steps": 6, "frame": 2, "units": 4, "code": 2})
    y = rng.integers(0, 2, 60)
    x = (rng.normal(size=(60, 6, 1)) * (1 + 2 * y[:, None, None])).astype("float32")
    for _ in range(2):  # a second time changes nothing
        calibration.set_threshold(model, Split(x, y))
        score, reconstruction = (np.asarray(output) for output in model(x))
        threshold = calibration.best_threshold(np.mean((x - reconstruction) ** 2, (1, 2)), y)
        np.testing.assert_allclose(float(model.get_layer("score").threshold), threshold, rtol=1e-5)
    assert METRICS["detection_accuracy"].measure(y, {"score": score}) > 0.8


def test_the_quantiles_of_a_model_are_calibrated_in_its_own_weights():
    rng = np.random.default_rng(0)
    config = {
        "recurrence": "gru",
        "columns": ["pm2.5"],
        "features": 2,
        "mean": 4.0,
        "deviation": 1.0,
        "hours": 1.0,
        "look_back": 4,
        "horizon": 3,
        "units": 4,
        "quantiles": [0.1, 0.5, 0.9],
    }
    model = models.build("quantile_forecaster", config)
    x = rng.normal(size=(500, 4, 2)).astype("float32")
    x[..., 0] = np.exp(x[..., 0] + 4)
    y = np.exp(rng.normal(4, 1, (500, 3))).astype("float32")
    calibration.set_interval(model, Split(x, y))
    assert coverage(y, np.asarray(model(x))) == pytest.approx(0.8, abs=0.01)


@thorough
def test_training_ends_with_the_calibration_and_saves_what_it_set(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6, 1)).astype("float32")
    splits = Splits(Split(x[:40], np.zeros(40, "int32")), Split(x, rng.integers(0, 2, 60)), Split(x, np.zeros(60)))
    recipe = dataclasses.replace(
        recipes.get("lstm_autoencoder.ecg5000"),
        config={"recurrence": "lstm", "steps": 6, "frame": 2, "units": 4, "code": 2},
        epochs=1,
        batch_size=20,
    )
    data = dataclasses.replace(datasets.get("ecg5000"), load=lambda: splits)
    run = training.train(recipe, tmp_path / "run", dataset=data)
    threshold = float(run.model.get_layer("score").threshold)
    score, reconstruction = run.model.predict(x, verbose=0)
    expected = calibration.best_threshold(np.mean((x - reconstruction) ** 2, (1, 2)), splits.validation.y)
    assert threshold == pytest.approx(expected, rel=1e-5) and threshold != 1
    saved = loading.load_weights(models.build(recipe.family, recipe.config), tmp_path / "run" / "model.weights.h5")
    np.testing.assert_allclose(saved.predict(x, verbose=0)[0], score, rtol=1e-5)
