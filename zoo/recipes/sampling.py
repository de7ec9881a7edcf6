"""Which examples an epoch sees."""

import numpy as np

from zoo.datasets import Split


def balanced(rng: np.random.Generator, split: Split, *, power: float = 1.0) -> Split:
    """As many examples as `split` holds, drawn with replacement so that a class of n examples has a share
    proportional to n^(1 - power): 1 makes all classes equally frequent, 0 leaves them as they are."""
    _, place, counts = np.unique(split.y, return_inverse=True, return_counts=True)
    weight = counts[place] ** -float(power)
    return split.take(rng.choice(len(split), len(split), p=weight / weight.sum()))
