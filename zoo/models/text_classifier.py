"""Text classifier: tokens [B, T], padded with 0 -> logits [B, classes]. Padding does not change an answer."""

from dataclasses import dataclass

import keras

from zoo.models.encoder import StackConfig, stack


@dataclass(frozen=True, kw_only=True)
class Config(StackConfig):
    """`vocabulary` counts the token 0; `embedding_dropout` hides the same dimensions of the embedding at every step."""

    vocabulary: int
    embedding: int
    classes: int
    embedding_dropout: float = 0.0


def build(config: Config) -> keras.Model:
    # Layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(config.vocabulary, config.embedding, mask_zero=True, name="embedding")(tokens)
    if config.embedding_dropout:
        x = keras.layers.SpatialDropout1D(config.embedding_dropout, name="embedding_dropout")(x)
    logits = keras.layers.Dense(config.classes, name="logits")(stack(x, config))
    # Functional model
    return keras.Model(tokens, logits, name="text_classifier")
