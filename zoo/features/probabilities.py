"""From logits to probabilities, and from probabilities to labels. NumPy only."""

from collections.abc import Sequence

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def ranked(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """The probability of each label, most likely first.

    >>> ranked(["no", "yes"], np.array([0.25, 0.75]))
    {'yes': 0.75, 'no': 0.25}
    """
    order = np.argsort(-probabilities, kind="stable")
    return {labels[index]: float(probabilities[index]) for index in order}
