import numpy as np
import pytest

from zoo.benchmarks import naive
from zoo.datasets import Split


def split(past, y):
    return Split(np.array(past, "float32")[..., None], np.array(y, "float32"))


def test_persistence_repeats_the_last_value_that_was_measured():
    found = naive.persistence(split([[1, 2, 3, -1], [-1, -1, -1, -1]], [[0, 0], [0, 0]]))
    assert found.tolist() == [[3, 3], [0, 0]]


def test_the_seasonal_rule_repeats_the_last_day():
    assert naive.seasonal_naive(split([[9, 1, -1, 3]], [[0, 0]])).tolist() == [[1, 3]]
    assert naive.seasonal_naive(split([[9, 1, 2, 3]], [[0, 0, 0]])).tolist() == [[1, 2, 3]]


def test_a_spread_has_the_quantiles_of_the_errors_made_in_training():
    rng = np.random.default_rng(0)
    train, y = np.full((5000, 1), 50.0), np.expm1(np.log1p(50) + rng.normal(0, 0.5, (5000, 1)))
    quantiles = naive.spread(np.array([[50.0], [80.0]]), train, y)
    shares = [(y <= level).mean() for level in quantiles[0, 0]]
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=1e-3)
    np.testing.assert_allclose((1 + quantiles[1]) / (1 + quantiles[0]), 81 / 51)


def test_every_rule_has_a_row_with_its_loss():
    rng = np.random.default_rng(0)
    part = split(rng.uniform(5, 100, (50, 6)), rng.uniform(5, 100, (50, 3)))
    rows = naive.measure(part, part)
    assert [row["rule"] for row in rows] == [
        "persistence",
        "persistence with quantiles",
        "seasonal_naive",
        "seasonal_naive with quantiles",
    ]
    point = np.mean(np.abs(part.y - part.x[:, -1:, 0])) / 2  # of one number for all three quantiles
    assert float(rows[0]["pinball"]) == pytest.approx(point, rel=1e-3)
    assert float(rows[1]["coverage"]) == pytest.approx(0.8, abs=0.03)
