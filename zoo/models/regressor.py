"""Sequence regressor: frames [B, T, features] -> value [B, 1]."""

import keras

from zoo.models.encoder import EncoderConfig, encode

Config = EncoderConfig


def build(config: EncoderConfig) -> keras.Model:
    frames = keras.Input((None, config.features), name="frames")
    value = keras.layers.Dense(1, name="value")(encode(frames, config))
    return keras.Model(frames, value, name="regressor")
