"""Streaming sound tagger: wave [B, samples, 1] -> logits [B, T, classes], one answer a packet, of the past alone.

Log-mel frames, a causal convolution that takes `stride` of them to a packet, recurrent layers.
"""

from dataclasses import dataclass, replace

import keras

from zoo.models.encoder import StackConfig, stack
from zoo.models.sound import SoundConfig, listen


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig, StackConfig):
    """`filters` of `kernel` frames each, `stride` frames apart."""

    classes: int
    filters: int
    kernel: int
    stride: int


def build(config: Config) -> keras.Model:
    # Layers
    wave = keras.Input((None, 1), name="wave")
    x = listen(wave, config, causal=True)
    x = keras.layers.Conv1D(
        config.filters, config.kernel, strides=config.stride, padding="causal", activation="relu", name="packets"
    )(x)
    x = stack(x, replace(config, pooling="each"))
    # Functional model
    return keras.Model(wave, keras.layers.Dense(config.classes, name="logits")(x), name="wave_spotter")
