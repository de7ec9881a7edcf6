"""Texts to labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo import registry
from zoo.features import text
from zoo.features.probabilities import ranked, softmax
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Labelled:
    """The most likely `label` of `text` with its probability `score`; `scores` holds all, most likely first."""

    text: str
    label: str
    score: float
    scores: dict[str, float]

    def cells(self) -> tuple[str, ...]:
        others = ", ".join(f"{label} {100 * score:.1f} %" for label, score in list(self.scores.items())[1:3])
        return self.label, f"{100 * self.score:.1f} %", others


class TextClassification(Pipeline):
    """Classifies a text, or a list of texts in one batch; each answer is that of its text alone.

    Raises InvalidInput for a text that is empty or not Unicode.
    """

    COLUMNS = ("label", "score", "next")
    TEXT = True
    RIGHT = ("score",)

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        super().__init__(spec, executor)
        self.tokenizer = text.load(registry.file(spec.name, "tokenizer.json"))

    def __call__(self, raw: str | Sequence[str]) -> list[Labelled]:
        given = text.several(raw, "text to classify")
        tokens = text.encode(self.tokenizer, given)
        (name,), (output,) = self.spec.signature.input_names, self.spec.signature.output_names
        rows = softmax(self.executor.run({name: tokens})[output])
        return [self._labelled(item, row) for item, row in zip(given, rows, strict=True)]

    def _labelled(self, item: str, probabilities: np.ndarray) -> Labelled:
        scores = ranked(self.spec.labels, probabilities)
        label = next(iter(scores))
        return Labelled(item, label, scores[label], scores)
