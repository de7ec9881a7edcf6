"""Sentences to tagged words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo import registry
from zoo.errors import InvalidInput
from zoo.features import text, words
from zoo.features.probabilities import softmax
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Tagged:
    """A word, its most likely `tag` with the probability `score`, and the characters of the text it is: `start` to
    `end`; None where the words were given."""

    word: str
    tag: str
    score: float
    start: int | None
    end: int | None

    def cells(self) -> tuple[str, ...]:
        return self.word, self.tag, f"{100 * self.score:.1f} %"


class Tagging(Pipeline):
    """Tags the words of one sentence: raw text, which is split as the treebank splits it, or a list of words.
    `several` tags a list of sentences in one batch; each answer is that of its sentence alone.

    Raises InvalidInput for text that is empty or not Unicode, and for a word that is blank.
    """

    COLUMNS = ("word", "tag", "score")
    TEXT = True
    RIGHT = ("score",)

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        super().__init__(spec, executor)
        self.tokenizer = text.load(registry.file(spec.name, "tokenizer.json"))

    def __call__(self, raw: str | Sequence[str]) -> list[Tagged]:
        return self.several([raw])[0]

    def several(self, sentences: Sequence[str | Sequence[str]]) -> list[list[Tagged]]:
        found = [
            _split(raw) if isinstance(raw, str) else [(word, None, None) for word in words.checked(raw)]
            for raw in text.several(sentences, "sentence to tag")
        ]
        split = [[word for word, *_ in sentence] for sentence in found]
        inputs = {"words": words.encode(self.tokenizer, split), "characters": words.characters(split)}
        (output,) = self.spec.signature.output_names
        answers = softmax(self.executor.run(inputs)[output])
        return [
            [
                Tagged(word, self.spec.labels[int(np.argmax(row))], float(row.max()), start, end)
                for (word, start, end), row in zip(sentence, rows[: len(sentence)], strict=True)
            ]
            for sentence, rows in zip(found, answers, strict=True)
        ]


def _split(raw: str) -> list[tuple[str, int | None, int | None]]:
    text.checked(raw)
    found = words.split(raw)
    if not found:
        raise InvalidInput(f"The text {raw!r} is empty: give at least one character that is not blank.")
    return [(word.text, word.start, word.end) for word in found]
