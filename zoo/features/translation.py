"""Sentences from one language into another with an encoder and a one-step decoder, on any backend. NumPy only.

The two are functions of named arrays, as an executor's `run` is: see `zoo/models/translator.py` for the names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InvalidInput, MissingDependency
from zoo.features import search
from zoo.features.search import Hypothesis, States
from zoo.features.text import checked
from zoo.features.vocabulary import END_TOKEN, START_TOKEN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
BEAM = 5
LENGTH_POWER = 1.0
LONGEST = 200  # subwords of a source


@dataclass(frozen=True)
class Translator:
    """The two halves of a model and its tokenizer."""

    encoder: Run
    decoder: Run
    tokenizer: "Tokenizer"

    def translate(self, source: np.ndarray, beam: int) -> list[str]:
        """The best translation of each row of tokens [N, S]."""
        found = translations(self.encoder, self.decoder, self.tokenizer, source, beam)
        return self.tokenizer.decode_batch([list(beams[0].tokens) for beams in found])


def translations(
    encoder: Run, decoder: Run, tokenizer: "Tokenizer", source: np.ndarray, width: int = BEAM, rows: int = 64
) -> list[list[Hypothesis]]:
    """For each source [N, S], padded with 0, its translations, best first; `rows` sentences are searched at once."""
    order = np.argsort((source > 0).sum(1), kind="stable")
    found: dict[int, list[Hypothesis]] = {}
    for places in (order[at : at + rows] for at in range(0, len(order), rows)):
        sizes = (source[places] > 0).sum(1)
        batch = source[places][:, : sizes.max()]
        states = {"source": batch, **encoder({"source": batch})}
        beams = search.beam(
            _step(decoder),
            states,
            start=START_TOKEN,
            end=END_TOKEN,
            width=width,
            longest=[int(2 * size + 10) for size in sizes],
            length_power=LENGTH_POWER,
        )
        found |= dict(zip(places.tolist(), beams, strict=True))
    return [found[place] for place in range(len(source))]


def _step(decoder: Run) -> search.Step:
    def step(tokens: np.ndarray, states: States) -> tuple[np.ndarray, States, np.ndarray]:
        outputs = decoder({"target": tokens[:, None], **states})
        moved = {name: outputs[f"{name}_out"] for name in states if f"{name}_out" in outputs}
        return outputs["logits"][:, 0], {**states, **moved}, outputs["look"][:, 0]

    return step


def encode(tokenizer: "Tokenizer", sentences: Sequence[str]) -> np.ndarray:
    """int32 [N, S], each sentence with its end behind it, padded with 0.

    Raises InvalidInput for a sentence that is empty, too long or not Unicode.
    """
    rows = [[*item.ids, END_TOKEN] for item in tokenizer.encode_batch([checked(text) for text in sentences])]
    for text, row in zip(sentences, rows, strict=True):
        if len(row) == 1:
            raise InvalidInput(f"The sentence {text!r} is empty: give at least one word.")
        if len(row) > LONGEST:
            raise InvalidInput(
                f"The sentence that begins {text[:30]!r} has {len(row)} subwords; the model takes {LONGEST}. "
                "Translate it sentence by sentence."
            )
    padded = np.zeros((len(rows), max(map(len, rows))), "int32")
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def bleu(references: Sequence[str], found: Sequence[str]) -> float:
    """Corpus BLEU in percent: sacreBLEU's default, cased, tokenised by its "13a" (Post 2018, arXiv:1804.08771).

    Raises MissingDependency where sacrebleu is not installed.
    """
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingDependency("BLEU is measured by sacrebleu: pip install 'recurrent-zoo[bench]'.") from error
    return float(sacrebleu.corpus_bleu(list(found), [list(references)]).score)
