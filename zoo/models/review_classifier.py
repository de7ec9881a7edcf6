"""Classifier of long texts: tokens [B, T], padded with 0 -> logits [B, classes]. Padding does not change an answer.

The states of every step go into the answer, as their mean and as the largest value of each unit: a word that matters
is heard wherever it stands. Source: Howard & Ruder 2018, arXiv:1801.06146, section 3.3 (without the last state).
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import ops

from zoo.models.encoder import StackConfig, stack


@dataclass(frozen=True, kw_only=True)
class Config(StackConfig):
    """`vocabulary` counts the token 0; `embedding_dropout` hides the same dimensions of the embedding at every step."""

    vocabulary: int
    embedding: int
    classes: int
    embedding_dropout: float = 0.0


class MeanAndMax(keras.layers.Layer):
    """Steps x [B, T, D] from -1 to 1 -> [B, 2 D]: the mean and the maximum of the steps that are not masked."""

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.concatenate([ops.mean(x, 1), ops.max(x, 1)], -1)
        kept = ops.expand_dims(ops.cast(mask, x.dtype), -1)
        mean = ops.sum(x * kept, 1) / ops.maximum(ops.sum(kept, 1), 1)
        return ops.concatenate([mean, ops.max(x * kept + (kept - 1), 1)], -1)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None


def build(config: Config) -> keras.Model:
    # Layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(config.vocabulary, config.embedding, mask_zero=True, name="embedding")(tokens)
    if config.embedding_dropout:
        x = keras.layers.SpatialDropout1D(config.embedding_dropout, name="embedding_dropout")(x)
    x = MeanAndMax(name="mean_and_max")(stack(x, replace(config, pooling="each")))
    # Functional model
    return keras.Model(tokens, keras.layers.Dense(config.classes, name="logits")(x), name="review_classifier")
