"""Sequence classifier: frames [B, T, features] -> logits [B, classes]."""

from dataclasses import dataclass

import keras

from zoo.models.encoder import EncoderConfig, encode


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    classes: int


def build(config: Config) -> keras.Model:
    frames = keras.Input((None, config.features), name="frames")
    logits = keras.layers.Dense(config.classes, name="logits")(encode(frames, config))
    return keras.Model(frames, logits, name="classifier")
