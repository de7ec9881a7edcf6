import numpy as np
import pytest

from zoo import evaluation
from zoo.datasets import Split
from zoo.errors import UnknownName


class Doubling:
    """An executor that counts its calls."""

    def __init__(self):
        self.batches = []

    def run(self, inputs):
        self.batches.append(len(inputs["x"]))
        return {"y": 2 * inputs["x"]}


def test_every_example_is_run_once_in_order_and_in_batches():
    executor, x = Doubling(), np.arange(10.0)[:, None]
    np.testing.assert_array_equal(evaluation.outputs_of(executor, x, "x", "y", batch=4), 2 * x)
    assert executor.batches == [4, 4, 2]


def test_an_executor_is_scored_by_the_metric():
    x = np.array([[1.0], [2.0]])
    assert evaluation.evaluate(Doubling(), Split(x, 2 * x + 1), "mean_squared_error", "x", "y") == 1.0


def test_an_unknown_metric_is_refused():
    with pytest.raises(UnknownName) as error:
        evaluation.score("acuracy", np.zeros(1), np.zeros((1, 2)))
    assert str(error.value) == (
        "Unknown metric 'acuracy'. Did you mean 'accuracy'? The metrics are accuracy, mean_squared_error."
    )
