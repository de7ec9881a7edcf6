"""Augmentation for images that are read pixel by pixel."""

import numpy as np

from zoo.datasets import Split


def shift(rng: np.random.Generator, split: Split, *, pixels: int) -> Split:
    """Each image moved by up to `pixels` up or down and to a side; paper (0) comes in, what leaves is lost.

    x [N, side · side, 1], row after row.

    >>> moved = shift(np.random.default_rng(0), Split(np.eye(3).reshape(1, 9, 1), np.zeros(1)), pixels=1)
    >>> moved.x.shape, float(moved.x.sum()) <= 3
    ((1, 9, 1), True)
    """
    assert isinstance(split.x, np.ndarray)
    side = int(np.sqrt(split.x.shape[1]))
    images = np.pad(split.x.reshape(-1, side, side), [(0, 0), (pixels, pixels), (pixels, pixels)])
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(images), 1, 1))
    rows, columns = np.arange(side)[None, :, None] + down, np.arange(side)[None, None, :] + right
    moved = images[np.arange(len(images))[:, None, None], rows, columns]
    return Split(moved.reshape(split.x.shape), split.y, split.groups)
