"""Text classifier: tokens [B, T], padded with 0 -> logits [B, classes]. Padding does not change an answer.

With `ngrams` it is wide and deep: beside the recurrent stack a linear model of short runs of tokens adds to the logits,
which knows by heart what the stack would have to find again. Source: Cheng et al. 2016, arXiv:1606.07792.
"""

from dataclasses import dataclass

import keras

from zoo.layers import NGrams
from zoo.models.encoder import StackConfig, stack


@dataclass(frozen=True, kw_only=True)
class Config(StackConfig):
    """`vocabulary` counts the token 0; `embedding_dropout` hides the same dimensions of the embedding at every step.
    Runs of up to `ngrams` tokens count, 0: none, in `buckets` weights; `ngrams_dropout` hides some of them."""

    vocabulary: int
    embedding: int
    classes: int
    embedding_dropout: float = 0.0
    ngrams: int = 0
    buckets: int = 16381
    ngrams_dropout: float = 0.0


def build(config: Config) -> keras.Model:
    # Layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(config.vocabulary, config.embedding, mask_zero=True, name="embedding")(tokens)
    if config.embedding_dropout:
        x = keras.layers.SpatialDropout1D(config.embedding_dropout, name="embedding_dropout")(x)
    if not config.ngrams:
        logits = keras.layers.Dense(config.classes, name="logits")(stack(x, config))
    else:
        sizes = {"n": config.ngrams, "vocabulary": config.vocabulary, "buckets": config.buckets}
        deep = keras.layers.Dense(config.classes, name="deep")(stack(x, config))
        wide = NGrams(config.classes, **sizes, dropout=config.ngrams_dropout, name="wide")(tokens)
        logits = keras.layers.Add(name="logits")([deep, wide])
    # Functional model
    return keras.Model(tokens, logits, name="text_classifier")
