"""Tagger: words [B, T] and their characters [B, T, W], padded with 0 -> logits [B, T, classes].

A word is its vector from unlabelled text, which stays as it is, a vector learned here if it is frequent, and the
strongest answer of each filter over its characters. Padding does not change an answer.
Source: Plank, Søgaard, Goldberg 2016, arXiv:1604.05529; characters by filters: Ma & Hovy 2016, arXiv:1603.01354.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import ops

from zoo.models.encoder import StackConfig, stack


@dataclass(frozen=True, kw_only=True)
class Config(StackConfig):
    """`vocabulary` counts the tokens 0 (padding) and 1 (unknown); words from `frequent` on have no vector learned here.
    `filters` read 3 and 5 characters each; a word has `width` codes below `alphabet`. `word_dropout` hides the learned
    vector of a word as a whole, and the other one."""

    vocabulary: int
    frequent: int
    vectors: int
    embedding: int
    alphabet: int
    width: int
    character: int
    filters: int
    classes: int
    word_dropout: float = 0.0
    input_dropout: float = 0.0


class Joined(keras.layers.Layer):
    """Parts [B, T, D] of a word side by side, under the mask of the first."""

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(inputs, -1)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return previous_mask[0]


def build(config: Config) -> keras.Model:
    # Layers
    words = keras.Input((None,), dtype="int32", name="words")
    characters = keras.Input((None, config.width), dtype="int32", name="characters")
    parts = [
        _embed(config, config.vocabulary, config.vectors, "vectors", trainable=False)(words),
        _embed(config, config.frequent, config.embedding, "embedding")(
            ops.where(words < config.frequent, words, ops.ones_like(words))
        ),
        _spell(characters, config),
    ]
    whole = keras.layers.Dropout(config.word_dropout, noise_shape=(None, None, 1), name="hidden_words")
    x = Joined(name="word")([*map(whole, parts[:2]), parts[2]])
    x = keras.layers.Dropout(config.input_dropout, name="input_dropout")(x)
    states = stack(x, replace(config, pooling="each"))
    # Functional model
    logits = keras.layers.Dense(config.classes, name="logits")(states)
    return keras.Model({"words": words, "characters": characters}, logits, name="tagger")


def _embed(config: Config, size: int, dimensions: int, name: str, trainable: bool = True) -> keras.layers.Layer:
    return keras.layers.Embedding(size, dimensions, mask_zero=True, trainable=trainable, name=name)


def _spell(characters: Any, config: Config) -> Any:
    """characters [B, T, W] -> [B, T, 2 filters]."""
    codes = keras.layers.Embedding(config.alphabet, config.character, name="characters_embedding")(characters)
    return keras.layers.Concatenate(name="spelling")([_strongest(codes, config, size) for size in (3, 5)])


def _strongest(codes: Any, config: Config, size: int) -> Any:
    """The largest answer of each filter of `size` codes: [B, T, W, C] -> [B, T, filters]."""
    places = config.width - size + 1
    windows = ops.concatenate([codes[:, :, at : at + places] for at in range(size)], -1)
    return ops.max(keras.layers.Dense(config.filters, "relu", name=f"filters_{size}")(windows), 2)
