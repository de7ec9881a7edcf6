"""What is measured on the validation split once training is over, and kept in the model's weights."""

from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets import Split

if TYPE_CHECKING:
    import keras


def set_threshold(model: "keras.Model", validation: Split) -> None:
    """The score that separates normal from anomalous examples with the fewest errors becomes 1."""
    scores = model.predict(validation.x, batch_size=256, verbose=0)[0][:, 0]
    layer = model.get_layer("score")
    layer.threshold.assign(np.asarray(layer.threshold) * best_threshold(scores, validation.y))


def best_threshold(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """Halfway between the two scores where calling all above it anomalous makes the fewest errors.

    >>> best_threshold(np.array([0.1, 0.9, 0.2, 0.5]), np.array([0, 1, 0, 1]))
    0.35
    """
    order = np.argsort(scores)
    ranked = anomalous[order]
    errors = np.cumsum(ranked) + np.sum(ranked == 0) - np.cumsum(ranked == 0)  # with the threshold above each score
    place = min(int(np.argmin(errors)), len(scores) - 2)
    return float(scores[order][place : place + 2].astype("float64").mean())


def set_interval(model: "keras.Model", validation: Split) -> None:
    """The arms of the interval become as long as it takes, hour by hour, to leave 10 % of the measured values on either
    side."""
    layer = model.get_layer("interval")
    quantiles = model.predict(validation.x, batch_size=256, verbose=0)
    for weight, factors in zip((layer.below, layer.above), arm_factors(quantiles, validation.y), strict=True):
        weight.assign(np.asarray(weight) * factors)


def arm_factors(quantiles: np.ndarray, y: np.ndarray, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """For each hour, by what to multiply the distances of the lower and of the upper quantile from the middle one, in
    the logarithm, so that `share` of the targets lie beyond. quantiles [N, horizon, 3], y [N, horizon], negative where
    not measured; returns two arrays [horizon]."""
    low, middle, high = np.moveaxis(np.log1p(quantiles.astype("float64")), -1, 0)
    measured = y >= 0
    distance = np.log1p(np.where(measured, y, 0)) - middle
    ratios = (-distance / np.maximum(middle - low, 1e-6), distance / np.maximum(high - middle, 1e-6))
    below, above = (
        np.array([np.quantile(ratio[measured[:, hour], hour], 1 - share) for hour in range(y.shape[1])])
        for ratio in ratios
    )
    return below, above
