"""Recordings to labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo.errors import InvalidInput
from zoo.features import windows
from zoo.features.probabilities import ranked, softmax
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Prediction:
    """The most likely `label` with its probability `score`; `scores` holds all labels, most likely first.

    `start` and `end` are the steps of the input it speaks of; of a batch, `example` counts its examples from 1.
    """

    label: str
    score: float
    scores: dict[str, float]
    start: int
    end: int
    example: int | None = None

    def cells(self) -> tuple[str, ...]:
        which = f"{self.example}: " if self.example else ""
        return f"{which}{self.start}–{self.end}", self.label, f"{100 * self.score:.1f} %"


class Classification(Pipeline):
    """Classifies recordings: an array [time, feature] or [example, time, feature], or a `.npy` or `.csv` file of one.

    A recording longer than the window the model was trained on is cut into half-overlapping windows, one prediction
    each. Raises InvalidInput for ragged rows, input of the wrong rank, feature count or dtype, or with NaN or infinity
    in it.
    """

    COLUMNS = ("steps", "label", "score")
    RIGHT = ("steps", "score")

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        if not spec.labels:
            raise InvalidInput(f"Model {spec.name!r} has no labels to predict: it does {spec.task}.")
        super().__init__(spec, executor)

    def __call__(self, raw: Any) -> list[Prediction]:
        array = windows.array(raw)
        if array.ndim not in (2, 3):
            raise InvalidInput(
                f"{self.spec.name} takes a recording [time, feature] or a batch [example, time, feature]; "
                f"this input has shape {list(array.shape)}."
            )
        if array.ndim == 3:
            found = self._classify(array, [0] * len(array))
            return [replace(answer, example=number) for number, answer in enumerate(found, 1)]
        return self._classify(*windows.cut(array, self.spec.window or len(array)))

    def _classify(self, batch: np.ndarray, starts: Sequence[int]) -> list[Prediction]:
        name, output = self.spec.signature.input_names[0], self.spec.signature.output_names[0]
        rows = softmax(self.executor.run({name: batch})[output])
        return [self._prediction(row, start, start + batch.shape[1]) for row, start in zip(rows, starts, strict=True)]

    def _prediction(self, probabilities: np.ndarray, start: int, end: int) -> Prediction:
        scores = ranked(self.spec.labels, probabilities)
        label = next(iter(scores))
        return Prediction(label, scores[label], scores, start, end)
