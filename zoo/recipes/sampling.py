"""Which examples an epoch sees, and how much of them."""

import numpy as np

from zoo.datasets import Split
from zoo.datasets.padding import TOKEN, UNKNOWN


def balanced(rng: np.random.Generator, split: Split) -> Split:
    """As many examples as `split` holds, drawn with replacement so that all classes are equally frequent."""
    _, place, counts = np.unique(split.y, return_inverse=True, return_counts=True)
    weight = 1 / counts[place]
    return split.take(rng.choice(len(split), len(split), p=weight / weight.sum()))


def masked(rng: np.random.Generator, tokens: np.ndarray, share: float) -> np.ndarray:
    """tokens int32 [N, T]; each that is not padding becomes unknown with the probability `share`."""
    return np.where((rng.random(tokens.shape) < share) & (tokens != TOKEN), UNKNOWN, tokens).astype("int32")
