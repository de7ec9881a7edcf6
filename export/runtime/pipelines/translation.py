"""Sentences to sentences in another language."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import picture
from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo import registry
from zoo.errors import InvalidInput
from zoo.features import text
from zoo.features.search import Hypothesis
from zoo.features.translation import BEAM, LENGTH_POWER, Translator, encode, translations
from zoo.features.vocabulary import END_TOKEN, UNKNOWN_TOKEN
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Translated:
    """`translation` of `source` with the mean log-probability `score` of its subwords.

    `alignment[t][s]` is how much subword `target_subwords[t]` looked at `source_subwords[s]`.
    """

    source: str
    translation: str
    score: float
    source_subwords: tuple[str, ...]
    target_subwords: tuple[str, ...]
    alignment: tuple[tuple[float, ...], ...]

    def cells(self) -> tuple[str, ...]:
        return self.translation, f"{self.score:.2f}"


class Translation(Pipeline):
    """Translates a sentence, or a list of sentences in one batch; each answer is that of its sentence alone.

    Raises InvalidInput for a sentence that is empty, too long, not Unicode, or holds a character without a token.
    """

    COLUMNS = ("translation", "log-probability")
    RIGHT = ("log-probability",)
    PARTS = ("encoder", "decoder")

    def __init__(self, spec: ModelSpec, encoder: Executor, decoder: Executor) -> None:
        super().__init__(spec, encoder)
        self.tokenizer = text.load(registry.file(spec.name, "tokenizer.json"))
        self._halves = Translator(encoder.run, decoder.run, self.tokenizer)

    def __call__(self, raw: str | Sequence[str], beam: int = BEAM) -> list[Translated]:
        given = text.several(raw, "sentence to translate")
        if not 1 <= beam <= 100:
            raise InvalidInput(f"beam={beam} is out of range: give a number of beams from 1 (greedy) to 100.")
        source = encode(self.tokenizer, given)
        self._require_known(given)
        found = translations(self._halves.encoder, self._halves.decoder, self.tokenizer, source, beam)
        rows = zip(given, source, found, strict=True)
        return [self._translated(sentence, tokens, beams[0]) for sentence, tokens, beams in rows]

    def _require_known(self, sentences: Sequence[str]) -> None:
        for sentence, item in zip(sentences, self.tokenizer.encode_batch(sentences), strict=True):
            for token, (start, stop) in zip(item.ids, item.offsets, strict=True):
                if token == UNKNOWN_TOKEN:
                    raise InvalidInput(
                        f"{self.spec.name} does not know {sentence[start:stop]!r} in the sentence that begins "
                        f"{sentence[:30]!r}: it was trained on text without it."
                    )

    def translate(self, source: np.ndarray, beam: int) -> list[str]:
        """The best translation of each row of tokens [N, S]: what a score is measured on."""
        return self._halves.translate(source, beam)

    def plot(self, raw: Any, answers: Sequence[Translated], path: Path) -> None:
        """The attention of the first answer: a row for each subword written, a column for each one read."""
        answer = answers[0]
        rows, columns = len(answer.target_subwords), len(answer.source_subwords)
        figure, (panel, *_) = picture.axes(1, height=max(2.0, 0.32 * rows))
        image = panel.imshow(np.array(answer.alignment), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        figure.colorbar(image, ax=panel, fraction=0.03, pad=0.01, label="attention")
        panel.set_xticks(range(columns), answer.source_subwords, rotation=60, ha="right", fontsize=8)
        panel.set_yticks(range(rows), answer.target_subwords, fontsize=8)
        panel.set(xlabel="read", ylabel="written")
        panel.set_title(f"{self.spec.name}: where each subword looked", fontsize=10)
        picture.save(figure, path)

    def _translated(self, sentence: str, source: np.ndarray, best: Hypothesis) -> Translated:
        read = self._spelt(source[source > 0].tolist())
        written = self._spelt([*best.tokens, *[END_TOKEN] * best.ended])
        return Translated(
            sentence,
            self.tokenizer.decode(list(best.tokens)),
            best.score(LENGTH_POWER),
            read,
            written,
            tuple(tuple(look[: len(read)].tolist()) for look in best.looks),
        )

    def _spelt(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(str(self.tokenizer.id_to_token(token)) for token in tokens)
