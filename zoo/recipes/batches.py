"""The batches of an epoch."""

import keras
import numpy as np

from zoo.datasets import Arrays, Split
from zoo.datasets.padding import by_length, cut_split

_POOL = 50  # batches that are sorted by length together: fewer leave more padding, more leave less chance


def bucketed(rng: np.random.Generator, x: Arrays, size: int) -> np.ndarray:
    """Indices of all whole batches of `size`: each holds examples of similar length, in random order of the batches."""
    length = by_length(x)
    order = rng.permutation(len(length))
    pools = [order[at : at + _POOL * size] for at in range(0, len(order), _POOL * size)]
    sorted_pools = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools])
    batches = sorted_pools[: len(order) // size * size].reshape(-1, size)
    return rng.permutation(batches).reshape(-1)


class Cut(keras.utils.PyDataset):
    """The batches of a split in its order, each cut to its longest example."""

    def __init__(self, split: Split, size: int) -> None:
        super().__init__()
        self.split, self.size = split, size

    def __len__(self) -> int:
        return len(self.split) // self.size

    def __getitem__(self, index: int) -> tuple[Arrays, np.ndarray]:
        batch = cut_split(self.split.take(slice(index * self.size, (index + 1) * self.size)))
        return batch.x, batch.y
