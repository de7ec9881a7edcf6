"""Sequences of different lengths in one array: tokens are padded with 0, targets a step with -1, on the right."""

from collections.abc import Mapping

import numpy as np

from zoo.datasets.base import Arrays, Split

TOKEN, TARGET = 0, -1
UNKNOWN = 1  # the token of what a vocabulary lacks


def lengths(array: np.ndarray, padding: int = TOKEN) -> np.ndarray:
    """int [N]: the steps of array [N, T, …] up to the last that holds more than padding.

    >>> lengths(np.array([[5, 0, 6, 0], [0, 0, 0, 0]])).tolist()
    [3, 0]
    """
    used = (array != padding).reshape(*array.shape[:2], -1).any(-1)
    return np.where(used.any(1), array.shape[1] - used[:, ::-1].argmax(1), 0)


def cut(array: np.ndarray, padding: int = TOKEN) -> np.ndarray:
    """Integers [N, T, …] without the steps that are padding in every row (at least one step stays); others as they are.

    >>> cut(np.array([[5, 0, 0], [6, 7, 0]])).tolist()
    [[5, 0], [6, 7]]
    """
    if array.ndim < 2 or array.dtype.kind not in "iu":
        return array
    return array[:, : max(1, lengths(array, padding).max(initial=0))]


def cut_inputs(x: Arrays) -> Arrays:
    """Every array of x cut to its own longest row."""
    return {name: cut(array) for name, array in x.items()} if isinstance(x, Mapping) else cut(x)


def cut_split(split: Split) -> Split:
    return Split(cut_inputs(split.x), cut(split.y, TARGET), split.groups)


def by_length(x: Arrays) -> np.ndarray:
    """int [N]: the length of each example, that of the longest of its token arrays."""
    arrays = x.values() if isinstance(x, Mapping) else (x,)
    return np.max([lengths(array) for array in arrays if array.ndim > 1 and array.dtype.kind in "iu"], axis=0)
