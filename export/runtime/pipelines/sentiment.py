"""Texts to labels, with the words that moved the answer: each is hidden in turn, and the answer looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from export.runtime.pipelines.text_classification import Labelled, TextClassification
from zoo.features import text
from zoo.features.probabilities import softmax
from zoo.features.text import UNKNOWN

WINDOW = 256  # words that are hidden in turn; of a longer text those of its most decided part
BATCH_STEPS = 16_384  # words of one batch of such texts
SHOWN = 5
LEAST = 0.005  # log-odds that are still shown
FAINTEST = 40  # of 160: the least depth of colour that is still drawn


@dataclass(frozen=True)
class Weighed:
    """The characters `start` to `end` of a text. `effect`: by how much the log-odds of the label fall when they are
    unknown; below 0 they speak against it."""

    text: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Judged(Labelled):
    """An answer and what moved it: the `words` in the order of the text."""

    words: tuple[Weighed, ...]

    def strongest(self, count: int = SHOWN) -> list[Weighed]:
        """The words that moved it most; one that comes again stands where it moved most."""
        words = {word.text.lower(): word for word in sorted(self.words, key=lambda word: abs(word.effect))}
        return sorted(words.values(), key=lambda word: -abs(word.effect))[:count]

    def cells(self) -> tuple[str, ...]:
        moved = (f"{word.text} {word.effect:+.2f}" for word in self.strongest() if abs(word.effect) >= LEAST)
        return self.label, f"{100 * self.score:.1f} %", ", ".join(moved) or "none"


class Sentiment(TextClassification):
    """Judges a text, or a list of texts in one batch; each answer is that of its text alone.

    Where a text has more than `WINDOW` words, the words are those of the part of that length whose own answer is most
    certain of the label, and their effect is that on the answer to this part.
    Raises InvalidInput for a text that is empty or not Unicode.
    """

    COLUMNS = ("label", "score", "words that moved it")

    def __call__(self, raw: str | Sequence[str]) -> list[Judged]:  # type: ignore[override]  # a Labelled and more
        return [self._judged(answer) for answer in super().__call__(raw)]

    def _judged(self, answer: Labelled) -> Judged:
        found = self.tokenizer.encode(text.checked(answer.text))
        label = self.spec.labels.index(answer.label)
        first = self._most_certain(np.array(found.ids, "int32"), label)
        part = slice(first, first + WINDOW)
        effects = self._effects(np.array(found.ids[part], "int32"), label)
        shift = len(answer.text) - len(answer.text.lstrip())
        words = tuple(
            Weighed(answer.text[start + shift : end + shift], start + shift, end + shift, float(effect))
            for (start, end), effect in zip(found.offsets[part], effects, strict=True)
        )
        return Judged(answer.text, answer.label, answer.score, answer.scores, words)

    def _most_certain(self, tokens: np.ndarray, label: int) -> int:
        """Where the part of `WINDOW` tokens begins that is most certain of the label."""
        last = len(tokens) - WINDOW
        if last <= 0:
            return 0
        starts = [*range(0, last, WINDOW), last]
        parts = np.stack([tokens[start : start + WINDOW] for start in starts])
        return starts[int(np.argmax(self._odds(parts, label)))]

    def _effects(self, tokens: np.ndarray, label: int) -> np.ndarray:
        """float [T]: the log-odds of the label, less those with each token unknown."""
        hidden = np.repeat(tokens[None], len(tokens) + 1, 0)
        np.fill_diagonal(hidden, self.tokenizer.token_to_id(UNKNOWN))
        odds = self._odds(hidden, label)
        return odds[-1] - odds[:-1]

    def _odds(self, tokens: np.ndarray, label: int) -> np.ndarray:
        """float [N]: the log-odds of the label for each row of tokens [N, T]."""
        size = max(1, BATCH_STEPS // tokens.shape[1])
        (name,), (output,) = self.spec.signature.input_names, self.spec.signature.output_names
        batches = [tokens[at : at + size] for at in range(0, len(tokens), size)]
        chance = softmax(np.concatenate([self.executor.run({name: batch})[output] for batch in batches]))[:, label]
        return np.log(np.maximum(chance, 1e-9)) - np.log(np.maximum(1 - chance, 1e-9))

    def heading(self, raw: str, answers: Sequence[Judged]) -> Text:
        """The words that were hidden in turn: those that speak for the label on green, those against it on red, the
        stronger the deeper; … stands for the rest of a longer text."""
        words = answers[0].words
        first, last = (words[0].start, words[-1].end) if len(words) == WINDOW else (0, len(raw))
        shown = (
            Text("…" if first else "").append(text.printable(raw[first:last])).append("…" if last < len(raw) else "")
        )
        shift = (1 if first else 0) - first
        largest = max(abs(word.effect) for word in words) or 1.0
        for word in words:
            depth = round(160 * abs(word.effect) / largest)
            if depth >= FAINTEST:
                colour = f"rgb(0,{depth},0)" if word.effect > 0 else f"rgb({depth},0,0)"
                shown.stylize(f"white on {colour}", word.start + shift, word.end + shift)
        return shown
