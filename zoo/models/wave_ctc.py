"""Sound transcriber: wave [B, samples, 1] -> logits [B, T, 1 + labels] for connectionist temporal classification.

Output 0 is the blank. Frames of digital silence are blank for certain, so zeros behind a clip change nothing.
Source: Graves, Fernández, Gomez, Schmidhuber 2006, ICML.
"""

from dataclasses import dataclass, replace

import keras

from zoo.layers.blank_silence import BlankSilence
from zoo.models.encoder import StackConfig, stack
from zoo.models.sound import SoundConfig, listen


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig, StackConfig):
    """`classes` counts the labels and the blank."""

    classes: int


def build(config: Config) -> keras.Model:
    # Layers
    wave = keras.Input((None, 1), name="wave")
    states = stack(listen(wave, config, causal=False), replace(config, pooling="each"))
    frames = keras.layers.Dense(config.classes, name="frames")(states)
    # Functional model
    return keras.Model(wave, BlankSilence(name="logits")(frames), name="wave_ctc")
