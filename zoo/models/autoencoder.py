"""Sequence autoencoder: series [B, steps, 1] -> anomaly score [B, 1] and reconstruction [B, steps, 1].

    c = W_c LSTM(frames)_last                          `code` numbers describe the whole series
    r = W_r LSTM(c, c, …, c)                           and must suffice to draw it again
    score = mean over steps of (x - r)^2 / threshold   above 1: anomalous

A frame is `frame` consecutive samples, read and written in one recurrent step. Trained on normal series alone, the code
has no room for others. `threshold` is 1 while training; the recipe sets it from the validation split.
Source:  Malhotra et al. 2016, arXiv:1607.00148.  Differs: a bottleneck, and the decoder reads the code at every step
         in place of its own last output.
"""

from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import ops

from zoo.errors import InvalidInput
from zoo.models.recurrence import GATED, require


@dataclass(frozen=True, kw_only=True)
class Config:
    recurrence: Literal["lstm", "gru"]
    steps: int
    frame: int
    units: int
    code: int

    def __post_init__(self) -> None:
        require(self.recurrence)
        if self.steps % self.frame:
            raise InvalidInput(f"steps={self.steps} is no multiple of frame={self.frame}.")


class AnomalyScore(keras.layers.Layer):
    """series, reconstruction [B, T, 1] -> mean squared error over the threshold [B, 1]; the threshold is a weight."""

    def build(self, input_shape: Any) -> None:
        self.threshold = self.add_weight(name="threshold", shape=(), initializer="ones", trainable=False)

    def call(self, inputs: Any) -> Any:
        series, reconstruction = inputs
        return ops.mean(ops.square(series - reconstruction), axis=1) / self.threshold


def build(config: Config) -> keras.Model:
    frames = config.steps // config.frame
    recurrent = GATED[config.recurrence]
    # Layers
    encoder = recurrent(config.units, name="encoder")
    decoder = recurrent(config.units, return_sequences=True, name="decoder")
    # Functional model
    series = keras.Input((config.steps, 1), name="series")
    code = keras.layers.Dense(config.code, name="code")(
        encoder(keras.layers.Reshape((frames, config.frame), name="frames")(series))
    )
    decoded = decoder(keras.layers.RepeatVector(frames, name="repeated")(code))
    drawn = keras.layers.Dense(config.frame, name="drawn")(decoded)
    reconstruction = keras.layers.Reshape((config.steps, 1), name="reconstruction")(drawn)
    score = AnomalyScore(name="score")([series, reconstruction])
    return keras.Model(series, [score, reconstruction], name="autoencoder")
