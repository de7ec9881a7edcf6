"""From the answers of a streaming keyword spotter, one for each packet, to keywords with their times. NumPy only."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import InvalidInput
from zoo.features.probabilities import softmax

SMOOTH = 10  # packets whose probabilities are averaged
THRESHOLD = 0.5
TAIL = 0.5  # seconds of silence after sound that has ended: it takes so long until the last word is known
PAUSE = 0.75  # seconds after a keyword in which none is reported


@dataclass(frozen=True)
class Keyword:
    """`label` was recognised at `time`, in seconds from the start, with probability `score`."""

    label: str
    time: float
    score: float

    def cells(self) -> tuple[str, ...]:
        return f"{self.time:.2f} s", self.label, f"{100 * self.score:.1f} %"


class Detector:
    """Reports a keyword once, when its probability, averaged over the last `SMOOTH` packets, passes `threshold`; again
    only after it fell below.

    `labels` name the outputs; the first two are silence and anything else that is said, and are never reported.
    A packet is `step` seconds long. Raises InvalidInput for a threshold that is no share.
    """

    def __init__(self, labels: Sequence[str], step: float, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold < 1:
            raise InvalidInput(f"threshold={threshold:g} is out of range: it is a probability between 0 and 1.")
        self.labels, self.step, self.threshold = labels, step, threshold
        self._recent: deque[np.ndarray] = deque(maxlen=SMOOTH)
        self._packets, self._quiet_until, self._reported = 0, 0.0, 0

    def push(self, logits: np.ndarray) -> list[Keyword]:
        """What the next packets, logits [T, labels], bring."""
        found = []
        for probabilities in softmax(logits):
            self._packets += 1
            self._recent.append(probabilities)
            now, mean = self._packets * self.step, np.sum(self._recent, 0) / SMOOTH
            best = 2 + int(mean[2:].argmax())
            if mean[self._reported] <= self.threshold:
                self._reported = 0
            if mean[best] > self.threshold and best != self._reported and now >= self._quiet_until:
                found.append(Keyword(self.labels[best], round(now, 3), float(mean[best])))
                self._reported, self._quiet_until = best, now + PAUSE
        return found


def smoothed(logits: np.ndarray) -> np.ndarray:
    """The probabilities of logits [..., T, labels], each step averaged with the SMOOTH - 1 before it; zeros before the
    first."""
    sums = np.cumsum(softmax(logits), -2)
    sums[..., SMOOTH:, :] -= sums[..., :-SMOOTH, :].copy()
    return sums / SMOOTH


def decide(logits: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """What clips hold, by logits [N, T, labels]: the keyword [N] whose smoothed probability rises highest, where it
    passes the threshold as in `Detector`; else 1, another word, where that one does; else 0, silence."""
    peaks = smoothed(logits).max(1)
    other = (peaks[:, 1] > threshold).astype(int)
    return np.where(peaks[:, 2:].max(1) > threshold, 2 + peaks[:, 2:].argmax(1), other)
