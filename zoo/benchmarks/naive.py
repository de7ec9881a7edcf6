"""What a forecast of fine dust has to beat: the last value, and the value 24 hours before, on the test year.

    persistence       the last measured value, for every hour ahead
    seasonal_naive    the value at the same hour of the last day measured
    … with quantiles  the same times the quantiles of what the training years made of it, hour by hour

Run `python -m zoo.benchmarks.naive` (seconds) to write `results/naive_pm25.csv`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo import datasets
from zoo.benchmarks import results
from zoo.datasets import Split
from zoo.evaluation import QUANTILES, coverage, pinball


def persistence(split: Split) -> np.ndarray:
    """[N, horizon]: the last measured concentration of the window, 0 if there is none."""
    return np.repeat(_carried_forward(split)[:, -1:], split.y.shape[1], 1)


def seasonal_naive(split: Split) -> np.ndarray:
    """[N, horizon]: the last value measured by the same hour of the day before."""
    return _carried_forward(split)[:, -split.y.shape[1] :]


def spread(guess: np.ndarray, train: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`guess` [N, horizon] as quantiles [N, horizon, 3]: moved, in log(1 + c), by the quantiles of the errors that the
    same rule made in training, `train` against `y`, hour by hour."""
    errors = [
        np.quantile(np.log1p(y[y[:, hour] >= 0, hour]) - np.log1p(train[y[:, hour] >= 0, hour]), QUANTILES)
        for hour in range(y.shape[1])
    ]
    return np.maximum(np.expm1(np.log1p(guess)[..., None] + np.array(errors)), 0)


def measure(train: Split, test: Split) -> list[dict[str, Any]]:
    """One row a rule."""
    rules: dict[str, Callable[[Split], np.ndarray]] = {"persistence": persistence, "seasonal_naive": seasonal_naive}
    rows = []
    for name, rule in rules.items():
        guess = rule(test)
        with_quantiles = spread(guess, rule(train), train.y)
        for label, quantiles in (
            (name, np.repeat(guess[..., None], 3, -1)),
            (f"{name} with quantiles", with_quantiles),
        ):
            rows.append(
                {
                    "rule": label,
                    "pinball": f"{pinball(test.y, quantiles):.4g}",
                    "coverage": f"{coverage(test.y, quantiles):.3f}",
                }
            )
    return rows


def _carried_forward(split: Split) -> np.ndarray:
    """The concentrations [N, look_back], each missing one filled with the one before it; 0 where there is none yet."""
    assert isinstance(split.x, np.ndarray)
    values = split.x[..., 0].copy()
    for step in range(1, values.shape[1]):
        values[:, step] = np.where(values[:, step] < 0, values[:, step - 1], values[:, step])
    return np.maximum(values, 0)


if __name__ == "__main__":
    splits = datasets.get("pm25").load()
    print(
        results.write(
            "naive_pm25", [{**row, **results.conditions(("numpy",))} for row in measure(splits.train, splits.test)]
        )
    )
