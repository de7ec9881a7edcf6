"""Classifier of images read one pixel a step: pixels [B, height · width, 1] -> logits [B, classes].

    logits = W h_T,   h_t = LSTM(pixel_{p(t)}, h_{t-1})       or GRU; p the order of reading

Pixels come row after row, 0 to 255. With `permutation` the model reads them in the fixed random order that this seed
gives, so that neighbours in the image lie hundreds of steps apart. With `longest` the gate biases start such that units
remember for 1 to that many steps (`zoo.cells.chrono`).
Source:  Le, Jaitly & Hinton 2015, arXiv:1504.00941; Tallec & Ollivier 2018, arXiv:1804.11188.
"""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from zoo.cells.chrono import ChronoBias
from zoo.layers import GRU, LSTM
from zoo.models.recurrence import require


@dataclass(frozen=True, kw_only=True)
class Config:
    recurrence: Literal["lstm", "gru"]
    units: int
    pixels: int
    classes: int
    longest: int
    permutation: int | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.recurrence)


def order(seed: int, pixels: int) -> np.ndarray:
    """The order of reading: int32 [pixels], which pixel each step reads.

    >>> order(1, 5).tolist()
    [4, 0, 1, 2, 3]
    """
    return np.random.default_rng(seed).permutation(pixels).astype("int32")


def build(config: Config) -> keras.Model:
    # Layers
    recurrent = _recurrent(config)
    # Functional model
    pixels = keras.Input((config.pixels, 1), name="pixels")
    x: Any = keras.layers.Rescaling(1 / 255, name="ink")(pixels)
    if config.permutation is not None:
        x = ops.take(x, order(config.permutation, config.pixels), axis=1)
    state = keras.layers.Dropout(config.dropout, name="dropout")(recurrent(x))
    return keras.Model(pixels, keras.layers.Dense(config.classes, name="logits")(state), name="pixel_classifier")


def _recurrent(config: Config) -> keras.layers.Layer:
    bias = ChronoBias(config.longest, config.units, config.recurrence)
    if config.recurrence == "gru":
        return GRU(config.units, bias_initializer=bias, name="gru")
    return LSTM(config.units, bias_initializer=bias, unit_forget_bias=False, name="lstm")
