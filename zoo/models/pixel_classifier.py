"""Classifier of images read one pixel a step: pixels [B, height · width, 1] -> logits [B, classes].

    layer 1        a state a pixel                     h_t = LSTM(pixel_{p(t)}, h_{t-1})       or GRU; p the order
    layer k        a state for `joined` states below   every 4 states, say, joined into one wider input
    logits = W h   of the last state of the last layer

Pixels come row after row, 0 to 255. With `permutation` the model reads them in the fixed random order that this seed
gives, so that neighbours in the image lie hundreds of steps apart. The layers form a pyramid: of T steps layer k runs
T / (joined_1 · … · joined_{k-1}), so that a gradient from the last state to the first pixel passes through tens of
steps in place of T. The gate biases start such that units remember for up to as many steps as their layer needs: the
steps that are joined, and in the last layer all it has (`zoo.cells.chrono`).
Source:  Le, Jaitly & Hinton 2015, arXiv:1504.00941 (the task); Chan et al. 2016, arXiv:1508.01211, section 3.1 (the
         pyramid); Tallec & Ollivier 2018, arXiv:1804.11188 (the biases).
"""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from zoo.cells.chrono import ChronoBias
from zoo.errors import InvalidInput
from zoo.layers import GRU, LSTM
from zoo.models.recurrence import require


@dataclass(frozen=True, kw_only=True)
class Config:
    """`units` holds one size a layer, `joined` one number between any two layers."""

    recurrence: Literal["lstm", "gru"]
    units: tuple[int, ...]
    joined: tuple[int, ...]
    pixels: int
    classes: int
    permutation: int | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.recurrence)
        if any(number < 1 for number in self.joined):
            raise InvalidInput(f"joined={list(self.joined)} must hold positive numbers.")
        if len(self.joined) != len(self.units) - 1:
            raise InvalidInput(
                f"joined={list(self.joined)} must hold one number for every layer but the last of "
                f"units={list(self.units)}."
            )
        if self.pixels % int(np.prod(self.joined)):
            raise InvalidInput(f"joined={list(self.joined)} must divide the {self.pixels} pixels without a rest.")


def order(seed: int, pixels: int) -> np.ndarray:
    """The order of reading: int32 [pixels], which pixel each step reads.

    >>> order(1, 5).tolist()
    [4, 0, 1, 2, 3]
    """
    return np.random.default_rng(seed).permutation(pixels).astype("int32")


def build(config: Config) -> keras.Model:
    # Functional model
    pixels = keras.Input((config.pixels, 1), name="pixels")
    x: Any = keras.layers.Rescaling(1 / 255, name="ink")(pixels)
    if config.permutation is not None:
        x = ops.take(x, order(config.permutation, config.pixels), axis=1)
    for place, (units, joined) in enumerate(zip(config.units[:-1], config.joined, strict=True), 1):
        x = _recurrent(config, units, joined, f"{config.recurrence}_{place}", sequences=True)(x)
        x = keras.layers.Reshape((x.shape[1] // joined, joined * units), name=f"join_{place}")(x)
    state = _recurrent(config, config.units[-1], x.shape[1], f"{config.recurrence}_{len(config.units)}")(x)
    state = keras.layers.Dropout(config.dropout, name="dropout")(state)
    return keras.Model(pixels, keras.layers.Dense(config.classes, name="logits")(state), name="pixel_classifier")


def _recurrent(config: Config, units: int, steps: int, name: str, sequences: bool = False) -> keras.layers.Layer:
    bias = ChronoBias(max(3, steps), units, config.recurrence)
    if config.recurrence == "gru":
        return GRU(units, bias_initializer=bias, return_sequences=sequences, name=name)
    return LSTM(units, bias_initializer=bias, unit_forget_bias=False, return_sequences=sequences, name=name)
