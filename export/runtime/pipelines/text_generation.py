"""Prompts to texts, character by character (or word by word)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo import registry
from zoo.errors import InvalidInput
from zoo.features import search, text
from zoo.features.search import Sampling, States
from zoo.features.vocabulary import UNKNOWN_TOKEN
from zoo.spec import ModelSpec

LENGTH, LONGEST = 300, 1_000_000
_CHUNK = 256  # tokens of a prompt that are read at a time, where the file leaves it free


@dataclass(frozen=True)
class Generated:
    """`text` follows `prompt`."""

    prompt: str
    text: str

    def cells(self) -> tuple[str, ...]:
        return (self.text,)


class TextGeneration(Pipeline):
    """Writes on from a prompt: 300 tokens as the model says, from seed 0; `generate` takes settings and streams.

    Raises InvalidInput for a prompt that is empty or holds what the model has no token for.
    """

    COLUMNS = ("text",)
    PARTS = ("streaming",)

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        super().__init__(spec, executor)
        self.tokenizer = text.load(registry.file(spec.name, "tokenizer.json"))
        marks = map(self.tokenizer.token_to_id, (text.PAD, text.UNKNOWN))
        self._never_written = [token for token in marks if token is not None]

    def __call__(self, raw: str | Sequence[str]) -> list[Generated]:
        prompts = text.several(raw, "prompt to go on from")
        return [Generated(prompt, "".join(self.generate(prompt))) for prompt in prompts]

    def generate(
        self,
        prompt: str,
        length: int = LENGTH,
        sampling: Sampling = Sampling(),  # noqa: B008  # frozen
        *,
        seed: int = 0,
        stop: str | None = None,
    ) -> Iterator[str]:
        """The pieces of the text that follows the prompt, each as soon as it is known: at most `length` tokens, and
        none from the string `stop` on. A seed gives the same text each time, on every backend.

        Raises InvalidInput for a setting out of range, before the first piece.
        """
        if not 1 <= length <= LONGEST:
            raise InvalidInput(f"length={length} is out of range: give a number of tokens from 1 to {LONGEST:,}.")
        if not 0 <= seed < 2**32:
            raise InvalidInput(f"seed={seed} is no seed: give a whole number from 0 to {2**32 - 1}.")
        if stop == "":
            raise InvalidInput("stop is empty: give the text to stop before, or leave it out.")
        tokens = self.tokens(prompt)
        return _until(stop, self._pieces(tokens, length, sampling, seed))

    def tokens(self, prompt: str) -> list[int]:
        """The tokens of a prompt. Raises InvalidInput as a call does."""
        if not isinstance(prompt, str) or not prompt:
            raise InvalidInput(f"The prompt is {prompt!r}: give the text to go on from, at least one character.")
        encoded = self.tokenizer.encode(text.unicode(prompt))
        if not encoded.ids:
            raise InvalidInput(f"The prompt is {prompt!r}: give the text to go on from, at least one word.")
        for token, (start, stop) in zip(encoded.ids, encoded.offsets, strict=True):
            unknown = token == UNKNOWN_TOKEN and prompt[start:stop] != self.tokenizer.id_to_token(token)
            if unknown or token in self._never_written:
                raise InvalidInput(
                    f"{self.spec.name} does not know {prompt[start:stop]!r} (at {start} of the prompt): "
                    "it was trained on text without it."
                )
        return list(encoded.ids)

    def _pieces(self, tokens: list[int], length: int, sampling: Sampling, seed: int) -> Iterator[str]:
        """The text token by token: where the tokens are words, with a blank before each."""
        (name,), (output,) = self.spec.signature.input_names, self.spec.signature.output_names
        stream = self.executor.stream()
        chunk = stream.chunk or _CHUNK
        blank = "" if self.tokenizer.decoder else " "

        def step(last: np.ndarray, states: States) -> tuple[np.ndarray, States, None]:
            logits = stream.push({name: last[:, None]})[output][:, 0].copy()
            logits[:, self._never_written] = -np.inf
            return logits, states, None

        for start in range(0, len(tokens) - 1, chunk):
            stream.push({name: np.array([tokens[start : min(start + chunk, len(tokens) - 1)]], "int32")})
        rng = np.random.default_rng(seed)
        drawn = search.sample(step, {}, first=tokens[-1], sampling=sampling, rng=rng)
        for token, _ in zip(drawn, range(length), strict=False):
            yield f"{blank}{self.tokenizer.id_to_token(token)}"


def _until(stop: str | None, pieces: Iterator[str]) -> Iterator[str]:
    """The pieces before the string `stop`: what may be its beginning is held back until that is known."""
    if stop is None:
        yield from pieces
        return
    held = ""
    for piece in pieces:
        held += piece
        found = held.find(stop)
        if found >= 0:
            if found:
                yield held[:found]
            return
        safe = len(held) - _overlap(held, stop)
        if safe:
            yield held[:safe]
            held = held[safe:]
    if held:
        yield held


def _overlap(held: str, stop: str) -> int:
    """The length of the longest end of `held` that `stop` begins with.

    >>> _overlap("the end: RO", "ROMEO"), _overlap("ROMEO", "JULIET")
    (2, 0)
    """
    return next(size for size in range(min(len(stop), len(held)), -1, -1) if stop.startswith(held[len(held) - size :]))
