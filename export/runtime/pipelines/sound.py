"""Sound to labels, to strings of labels, and to keywords with their times."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime.pipelines.base import Pipeline
from zoo.errors import InvalidInput
from zoo.features import audio, ctc, windows
from zoo.features.keywords import TAIL, THRESHOLD, Detector, Keyword
from zoo.features.probabilities import ranked, softmax


@dataclass(frozen=True)
class Heard:
    """The most likely `label` of a clip with its probability `score`; `scores` holds all labels, most likely first."""

    label: str
    score: float
    scores: dict[str, float]

    def cells(self) -> tuple[str, ...]:
        return self.label, f"{100 * self.score:.1f} %"


@dataclass(frozen=True)
class Transcript:
    """`text` was said, with probability `score` among all strings. `greedy` is the string of the most probable path,
    which need not be the most probable string."""

    text: str
    score: float
    greedy: str

    def cells(self) -> tuple[str, ...]:
        return self.text or "nothing was heard", f"{100 * self.score:.1f} %"


class _Listening(Pipeline):
    """Takes the name of a WAV file, or samples in [-1, 1] at the model's rate, [samples] or [example, samples]."""

    def _waves(self, raw: Any) -> np.ndarray:
        """raw as float32 [example, samples, 1]."""
        name, rate = self.spec.name, int(self.spec.sample_rate or 0)
        array = windows.array(audio.load(raw, rate) if isinstance(raw, str | Path) else raw)
        if array.ndim not in (1, 2) or not array.size:
            raise InvalidInput(
                f"{name} takes a WAV file, or samples at {rate} Hz as [samples] or [example, samples]; "
                f"this input has shape {list(array.shape)}."
            )
        if array.dtype.kind != "f":
            raise InvalidInput(
                f"{name} takes samples between -1 and 1; these are of type {array.dtype}. Of 16-bit integers divide "
                "by 32768."
            )
        if not np.abs(array).max() <= 1:
            raise InvalidInput(
                f"{name} takes samples between -1 and 1; here one is {float(np.abs(array).max()):.4g}. Divide them by "
                "what stands for full scale."
            )
        return np.atleast_2d(array).astype("float32")[..., None]

    def _answer(self, waves: np.ndarray) -> np.ndarray:
        return self.executor.run({self.spec.signature.input_names[0]: waves})[self.spec.signature.output_names[0]]


class SoundClassification(_Listening):
    """One label a clip: `Heard`."""

    COLUMNS = ("label", "score")
    RIGHT = ("score",)

    def __call__(self, raw: Any) -> list[Heard]:
        return [self._heard(row) for row in softmax(self._answer(self._waves(raw)))]

    def _heard(self, probabilities: np.ndarray) -> Heard:
        scores = ranked(self.spec.labels, probabilities)
        label = next(iter(scores))
        return Heard(label, scores[label], scores)


class Transcription(_Listening):
    """One string a clip: `Transcript`, by prefix beam search."""

    COLUMNS = ("text", "score")
    RIGHT = ("score",)

    def __call__(self, raw: Any) -> list[Transcript]:
        return [self._transcript(frames) for frames in self._answer(self._waves(raw))]

    def _transcript(self, frames: np.ndarray) -> Transcript:
        best, score = ctc.prefix_beam(frames)[0]
        return Transcript(self._text(best), float(np.exp(score)), self._text(ctc.greedy(frames)))

    def _text(self, string: Sequence[int]) -> str:
        return "".join(self.spec.labels[symbol - 1] for symbol in string)


class KeywordSpotting(_Listening):
    """Keywords with the times at which they are known: `Keyword`. `listen` gives them as the sound arrives. Where the
    sound ends, half a second of silence follows.

    A keyword is one when its probability passes `threshold`: a higher one misses more and errs less.
    """

    COLUMNS = ("time", "keyword", "score")
    RIGHT = ("time", "score")

    def __call__(self, raw: Any, threshold: float = THRESHOLD) -> list[Keyword]:
        detector = self._detector(threshold)
        waves = self._waves(raw)
        if len(waves) > 1:
            raise InvalidInput(f"{self.spec.name} listens to one stream at a time; this input has {len(waves)}.")
        return detector.push(self._answer(np.concatenate([waves, self._tail()], 1))[0])

    def listen(self, packets: Iterable[np.ndarray], threshold: float = THRESHOLD) -> Iterator[Keyword]:
        """The keywords in packets of samples [any number], each as soon as the packet that completes it is in.

        The executor must be that of a streaming file. The stream begins anew with every call.
        """
        stream, detector = self.executor.stream(), self._detector(threshold)
        for packet in packets:
            yield from detector.push(stream.push(self._waves(packet))[0])
        yield from detector.push(stream.push(self._tail())[0])

    def _tail(self) -> np.ndarray:
        """Silence [1, samples, 1], in which the last word becomes known."""
        return np.zeros((1, int(TAIL * int(self.spec.sample_rate or 0)), 1), "float32")

    def _detector(self, threshold: float) -> Detector:
        return Detector(self.spec.labels, self._step(), threshold)

    def _step(self) -> float:
        """Seconds from one answer to the next."""
        config = self.spec.config
        return float(config["decimate"] * config["hop"] * config["stride"] / config["sample_rate"])


def packets(wave: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The wave [samples] as it would arrive; the last packet may be shorter."""
    return (wave[start : start + size] for start in range(0, len(wave), size))
