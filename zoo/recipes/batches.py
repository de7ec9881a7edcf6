"""The batches of an epoch, and a model run on batches of any length."""

from collections.abc import Callable, Iterator
from typing import Any

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


def cut_batches(split: Split, size: int) -> Any:
    """What `fit` takes: batches whose lengths differ. TensorFlow must be told so, or it traces the model anew for each
    length."""
    batches = Cut(split, size)
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    def each() -> Iterator[tuple[Arrays, np.ndarray]]:
        return (batches[index] for index in range(len(batches)))

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec([None] * min(array.ndim, 2) + list(array.shape[2:]), array.dtype),
        (split.x, split.y),
    )
    dataset = tf.data.Dataset.from_generator(each, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2)


def runner(model: keras.Model) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """`model` as a function of a batch of any length, to its outputs by name, not training."""
    call: Callable[[Arrays], Any] = model.predict_on_batch
    if keras.backend.backend() == "tensorflow":  # where `predict_on_batch` traces the model anew for each length
        import tensorflow as tf

        traced = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
        call = lambda x: keras.tree.map_structure(keras.ops.convert_to_numpy, traced(x))  # noqa: E731  # one of two

    def run(x: Arrays) -> dict[str, np.ndarray]:
        found = call(keras.tree.map_structure(keras.ops.convert_to_tensor, x))
        if isinstance(found, dict):
            return found
        return dict(zip(model.output_names, found if isinstance(found, list) else [found], strict=True))

    return run
