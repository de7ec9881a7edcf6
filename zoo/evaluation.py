"""Scores: the metrics, and one way to measure any executor with them. NumPy only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from zoo.datasets import Arrays, Split
from zoo.errors import unknown_name
from zoo.spec import Signature


class Executor(Protocol):
    """The face Keras, SavedModel, ONNX and TFLite share."""

    @property
    def signature(self) -> Signature: ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class Metric:
    """`measure(y, outputs)` compares targets with a model's output, or with a mapping of its outputs by name.

    `percent` says that people read the value as a share.
    """

    measure: Callable[[np.ndarray, Any], float]
    higher_is_better: bool
    percent: bool = False

    def better(self, value: float, other: float) -> bool:
        """Whether `value` is at least as good as `other`."""
        return value >= other if self.higher_is_better else value <= other


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


METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, higher_is_better=True, percent=True),
    "mean_squared_error": Metric(mean_squared_error, higher_is_better=False),
}


def metric(name: str) -> Metric:
    """The metric of that name. Raises UnknownName with the metrics there are."""
    if name not in METRICS:
        raise unknown_name("metric", name, METRICS, f"The metrics are {', '.join(METRICS)}.")
    return METRICS[name]


def outputs_of(executor: Executor, x: Arrays, batch: int = 256) -> Arrays:
    """The executor's answer to every example of x, in batches: one array, or a mapping where it has several outputs."""
    inputs = x if isinstance(x, Mapping) else {executor.signature.input_names[0]: x}
    examples = len(next(iter(inputs.values())))
    parts = [
        executor.run({name: array[at : at + batch] for name, array in inputs.items()})
        for at in range(0, examples, batch)
    ]
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in executor.signature.output_names}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def evaluate(executor: Executor, split: Split, metrics: Sequence[str]) -> dict[str, float]:
    """Each metric of the executor's answers to the whole split."""
    measures = {name: metric(name).measure for name in metrics}
    outputs = outputs_of(executor, split.x)
    return {name: measure(split.y, outputs) for name, measure in measures.items()}
