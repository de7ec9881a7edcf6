"""Truncated backpropagation through time: a sequence in pieces, the state carried from one to the next.

The model's recurrent layers are `stateful`, so their states are variables: what is carried has no gradient, memory
holds one piece, and the weights move once a piece. What lies further apart than a piece cannot be learnt to belong
together. Source: Williams & Peng 1990, Neural Computation 2(4).
"""

from typing import Any

import keras
import numpy as np

from zoo.errors import InvalidInput


def train_on_sequence(model: keras.Model, x: np.ndarray, y: np.ndarray, steps: int) -> float:
    """One pass over x [B, T, …] with targets y [B, T, …] in pieces of `steps`, from zero states; the mean loss.

    `model` is compiled, answers every step, and has a fixed batch of B. Raises InvalidInput if it is not so.
    """
    _check(model, x, y, steps)
    reset(model)
    total = 0.0
    for start in range(0, x.shape[1], steps):
        piece = slice(start, start + steps)
        loss = model.train_on_batch(x[:, piece], y[:, piece])
        total += float(np.ravel(loss)[0]) * len(x[0, piece])
    return total / x.shape[1]


def reset(model: keras.Model) -> None:
    """Every state back to zero."""
    for layer in _stateful(model):
        layer.reset_state()


def _stateful(model: keras.Model) -> list[Any]:
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN) and layer.stateful]


def _check(model: keras.Model, x: np.ndarray, y: np.ndarray, steps: int) -> None:
    if steps < 1:
        raise InvalidInput(f"steps={steps} is no piece of a sequence: give a number from 1 up.")
    if x.shape[:2] != y.shape[:2]:
        raise InvalidInput(f"x is {list(x.shape[:2])} and y {list(y.shape[:2])}: both need a value for every step.")
    forgetful = [
        layer.name for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN) and not layer.stateful
    ]
    if forgetful or not _stateful(model):
        which = f"layer {forgetful[0]!r} is not" if forgetful else "it has no recurrent layer"
        raise InvalidInput(f"Model {model.name!r} carries no state from piece to piece: {which}; set stateful=True.")
