"""Scores: the metrics, and one way to measure any executor with them."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from zoo.datasets import Split
from zoo.errors import unknown_name


class Executor(Protocol):
    """The face Keras, SavedModel, ONNX and TFLite share."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


def accuracy(y: np.ndarray, logits: np.ndarray) -> float:
    """The share of examples whose largest logit [N, classes] is the target [N].

    >>> accuracy(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    0.5
    """
    return float(np.mean(logits.argmax(-1) == y))


def mean_squared_error(y: np.ndarray, value: np.ndarray) -> float:
    """
    >>> mean_squared_error(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
    2.0
    """
    return float(np.mean(np.square(value.astype("float64") - y)))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "mean_squared_error": mean_squared_error,
}
HIGHER_IS_BETTER = {"accuracy": True, "mean_squared_error": False}


def outputs_of(executor: Executor, x: np.ndarray, input_name: str, output_name: str, batch: int = 256) -> np.ndarray:
    """The executor's answer to every example of x [N, …], in batches."""
    parts = [executor.run({input_name: x[at : at + batch]})[output_name] for at in range(0, len(x), batch)]
    return np.concatenate(parts)


def score(metric: str, y: np.ndarray, output: np.ndarray) -> float:
    """The metric of that name. Raises UnknownName with the metrics there are."""
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS, f"The metrics are {', '.join(METRICS)}.")
    return METRICS[metric](y, output)


def evaluate(executor: Executor, split: Split, metric: str, input_name: str, output_name: str) -> float:
    """The metric of the executor's answers to the whole split."""
    return score(metric, split.y, outputs_of(executor, split.x, input_name, output_name))
