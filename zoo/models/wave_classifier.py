"""Sound classifier: wave [B, samples, 1] -> logits [B, classes]. Zeros behind a clip change nothing."""

from dataclasses import dataclass

import keras

from zoo.models.encoder import StackConfig, stack
from zoo.models.sound import SoundConfig, listen


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig, StackConfig):
    classes: int


def build(config: Config) -> keras.Model:
    wave = keras.Input((None, 1), name="wave")
    logits = keras.layers.Dense(config.classes, name="logits")(stack(listen(wave, config, causal=False), config))
    return keras.Model(wave, logits, name="wave_classifier")
