"""Encoder of short texts as BERT has it: tokens [B, T], padded with 0 -> logits [B, classes]. A teacher, not exported.

Its answer is a linear function of the mean of the last layer's steps; padding does not change it.
Source: Devlin et al. 2019, arXiv:1810.04805 (layers normalised after each sum); the mean: Reimers & Gurevych 2019,
arXiv:1908.10084.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from zoo.errors import InvalidInput

_EPSILON = 1e-12


@dataclass(frozen=True, kw_only=True)
class Config:
    """`positions` is the longest text in tokens, `hidden` the width between the two dense layers of a block."""

    vocabulary: int
    positions: int
    width: int
    heads: int
    hidden: int
    blocks: int
    classes: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise InvalidInput(f"width={self.width} must be a multiple of heads={self.heads}.")


class Positions(layers.Layer):
    """x [B, T, D] -> x plus a learned vector for each of the first T of `length` positions."""

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length = length

    def build(self, shape: Any) -> None:
        self.vectors = self.add_weight(shape=(self.length, shape[-1]), initializer="uniform", name="vectors")

    def call(self, x: Any) -> Any:
        return x + self.vectors[: ops.shape(x)[1]]


def build(config: Config) -> keras.Model:
    normalized = partial(layers.LayerNormalization, epsilon=_EPSILON)
    dropout = partial(layers.Dropout, config.dropout)
    # Layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    used = ops.not_equal(tokens, 0)
    x = layers.Embedding(config.vocabulary, config.width, name="embedding")(tokens)
    x = normalized(name="norm")(Positions(config.positions, name="positions")(x))
    x = dropout(name="dropout")(x)
    for index in range(1, config.blocks + 1):
        attention = layers.MultiHeadAttention(
            config.heads, config.width // config.heads, dropout=config.dropout, name=f"attention_{index}"
        )
        found = attention(x, x, attention_mask=ops.expand_dims(used, 1))
        x = normalized(name=f"attention_norm_{index}")(x + dropout(name=f"attention_dropout_{index}")(found))
        found = layers.Dense(config.hidden, activation=_gelu, name=f"up_{index}")(x)
        found = layers.Dense(config.width, name=f"down_{index}")(found)
        x = normalized(name=f"norm_{index}")(x + dropout(name=f"dropout_{index}")(found))
    kept = ops.expand_dims(ops.cast(used, x.dtype), -1)
    mean = ops.sum(x * kept, 1) / ops.maximum(ops.sum(kept, 1), 1)
    # Functional model
    logits = layers.Dense(config.classes, name="logits")(dropout(name="mean_dropout")(mean))
    return keras.Model(tokens, logits, name="transformer")


def _gelu(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=False)
