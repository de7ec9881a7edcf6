"""Sequence regressor: frames [B, T, features] -> value [B, outputs]."""

from dataclasses import dataclass

import keras

from zoo.models.encoder import EncoderConfig, encode


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """`outputs` numbers a sequence."""

    outputs: int = 1


def build(config: Config) -> keras.Model:
    frames = keras.Input((None, config.features), name="frames")
    value = keras.layers.Dense(config.outputs, name="value")(encode(frames, config))
    return keras.Model(frames, value, name="regressor")
