"""The state carried from batch to batch: a text in lanes, each read from its start to its end, a chunk at a time.

    text   [1, N]  ->  lane 0 | lane 1 | … | lane L-1        each of N // L tokens
    batch  k       ->  chunk k of every lane, [L, steps]     follows on batch k - 1, so the states may stay

The model is built with `lanes`, so that its recurrent layers keep their states (`truncated.py`).
"""

import keras
import numpy as np

from zoo.datasets import Split
from zoo.evaluation import surprisals_of
from zoo.recipes import truncated


def batches(split: Split, lanes: int, steps: int) -> int:
    """How many whole batches an epoch has, wherever in the first chunk it starts."""
    return (split.x.shape[1] - steps) // (lanes * steps)


def laid(split: Split, lanes: int, steps: int, start: int = 0) -> Split:
    """The text from token `start` on as examples [batches * lanes, steps], in the order of the batches."""
    count = (split.x.shape[1] - start) // (lanes * steps)

    def lay(text: np.ndarray) -> np.ndarray:
        part = text[0, start : start + count * lanes * steps]
        return part.reshape(lanes, count, steps).swapaxes(0, 1).reshape(-1, steps)

    return Split(lay(split.x), lay(split.y))


def epoch(rng: np.random.Generator, split: Split, lanes: int, steps: int) -> Split:
    """The text from a random place in its first chunk on, so that chunks begin elsewhere in every epoch."""
    start = int(rng.integers(steps))
    return laid(split, lanes, steps, start).take(slice(batches(split, lanes, steps) * lanes))


def surprisals(model: keras.Model, split: Split, steps: int) -> np.ndarray:
    """What each token of the text costs in nats [batches * lanes, steps], by a model that was built with lanes.

    What is left behind the last whole batch is not read.
    """
    lanes = model.inputs[0].shape[0]
    examples = laid(split, lanes, steps)
    truncated.reset(model)
    found = [
        surprisals_of(model.predict_on_batch(examples.x[at : at + lanes]), examples.y[at : at + lanes])
        for at in range(0, len(examples), lanes)
    ]
    truncated.reset(model)
    return np.concatenate(found)
