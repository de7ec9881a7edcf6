"""From the frames of a connectionist temporal classifier to a string of labels. NumPy only.

A path has a symbol for each frame: label 1 to n, or 0, the blank. Its string is the path with repeats merged and
blanks taken out; the probability of a string is the sum over its paths.
Source: Graves, Fernández, Gomez, Schmidhuber 2006, ICML.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

BLANK = 0
NEGLIGIBLE = math.log(1e-6)  # of a frame, what is less probable is not followed


def greedy(logits: np.ndarray) -> list[int]:
    """The string of the most probable path through logits [T, 1 + n].

    >>> greedy(np.eye(3)[[1, 1, 0, 1, 2]])
    [1, 1, 2]
    """
    path = logits.argmax(-1)
    changed = np.flatnonzero(np.diff(path, prepend=-1))
    return [int(symbol) for symbol in path[changed] if symbol != BLANK]


def prefix_beam(logits: np.ndarray, width: int = 8) -> list[tuple[list[int], float]]:
    """The most probable strings of logits [T, 1 + n], best first, with the logarithms of their probabilities.

    Of every prefix it keeps the probability of the paths that end in a blank and of those that do not, and after every
    frame the `width` most probable prefixes. Exact but for `NEGLIGIBLE` where `width` is the number of prefixes.
    Source: Hannun, Maas, Jurafsky, Ng 2014, arXiv:1408.2873, without a language model.

    >>> prefix_beam(np.log([[0.4, 0.6], [0.6, 0.4]]))[0][0]
    [1]
    """
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame in log_softmax(logits).tolist():
        reached: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        symbols = [symbol for symbol in range(1, len(frame)) if frame[symbol] > NEGLIGIBLE]
        for prefix, (blank, other) in beams.items():
            both = _either(blank, other)
            _add(reached[prefix], 0, both + frame[BLANK])
            for symbol in symbols:
                if prefix and symbol == prefix[-1]:
                    _add(reached[prefix], 1, other + frame[symbol])
                    _add(reached[(*prefix, symbol)], 1, blank + frame[symbol])
                else:
                    _add(reached[(*prefix, symbol)], 1, both + frame[symbol])
        best = sorted(reached.items(), key=lambda item: -_either(*item[1]))[:width]
        beams = {prefix: (ends[0], ends[1]) for prefix, ends in best if max(ends) > -math.inf}
    return [(list(prefix), _either(*ends)) for prefix, ends in beams.items()]


def _add(ends: list[float], place: int, value: float) -> None:
    ends[place] = _either(ends[place], value)


def _either(a: float, b: float) -> float:
    """The logarithm of the sum of two probabilities given by theirs. For single numbers NumPy's is ten times slower."""
    low, high = (a, b) if a < b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype("float64") - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def word_errors(spoken: Sequence[int], heard: Sequence[int]) -> int:
    """How many words must be put in, taken out or replaced to make one string the other (Levenshtein 1966).

    >>> word_errors([1, 2, 3], [1, 3, 3, 4])
    2
    """
    row = list(range(len(heard) + 1))
    for count, word in enumerate(spoken, 1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            diagonal, row[place] = row[place], min(diagonal + (word != other), row[place] + 1, row[place - 1] + 1)
    return row[-1]
