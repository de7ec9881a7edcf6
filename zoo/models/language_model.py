"""Language model: tokens [B, T] -> logits [B, T, vocabulary] of the token that follows each of them."""

from dataclasses import dataclass
from typing import Any, Literal

import keras

from zoo.errors import InvalidInput
from zoo.layers import TiedEmbedding, WeightDrop
from zoo.models.recurrence import GATED, require


@dataclass(frozen=True, kw_only=True)
class Config:
    """`units` holds one size a layer. With `tied` the embedding is also the matrix of the output, transposed, and the
    last layer has `embedding` units (Press & Wolf 2017, arXiv:1608.05859; Inan et al. 2017, arXiv:1611.01462).

    The dropouts hide the same dimensions at every step of a call (Gal & Ghahramani 2016, arXiv:1512.05287):
    `embedding_dropout` of the embedding, `dropout` between layers, `output_dropout` before the output;
    `weight_drop` hides recurrent weights (Merity et al. 2017, arXiv:1708.02182).
    `lanes` > 0 builds the model that is trained: that many rows, whose states are carried from call to call.
    """

    recurrence: Literal["lstm", "gru"]
    units: tuple[int, ...]
    vocabulary: int
    embedding: int
    tied: bool = False
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    output_dropout: float = 0.0
    weight_drop: float = 0.0
    lanes: int = 0

    def __post_init__(self) -> None:
        require(self.recurrence)
        if not self.units or any(size < 1 for size in self.units):
            raise InvalidInput(f"units={list(self.units)} must hold one positive size for each layer.")
        if self.tied and self.units[-1] != self.embedding:
            raise InvalidInput(
                f"tied=True multiplies the last state with the embedding: units={list(self.units)} must end "
                f"in embedding={self.embedding}."
            )


def build(config: Config) -> keras.Model:
    # Layers
    tokens = keras.Input((None,), batch_size=config.lanes or None, dtype="int32", name="tokens")
    kind = TiedEmbedding if config.tied else keras.layers.Embedding
    embedding = kind(config.vocabulary, config.embedding, name="embedding")
    x = _hidden(embedding(tokens), config.embedding_dropout, "embedding_dropout")
    last = len(config.units)
    for place, units in enumerate(config.units, 1):
        x = _layer(config, units, f"{config.recurrence}_{place}")(x)
        x = _hidden(x, config.output_dropout if place == last else config.dropout, f"dropout_{place}")
    # Functional model
    if config.tied:
        logits = keras.layers.Identity(name="logits")(embedding(x, reverse=True))
    else:
        logits = keras.layers.Dense(config.vocabulary, name="logits")(x)
    return keras.Model(tokens, logits, name="language_model")


def _layer(config: Config, units: int, name: str) -> keras.layers.Layer:
    if not config.weight_drop:
        return GATED[config.recurrence](units, return_sequences=True, stateful=config.lanes > 0, name=name)
    inner = GATED[config.recurrence](units, return_sequences=True, stateful=config.lanes > 0, name=f"{name}_inside")
    return WeightDrop(inner, config.weight_drop, name=name)


def _hidden(x: Any, rate: float, name: str) -> Any:
    return keras.layers.SpatialDropout1D(rate, name=name)(x) if rate else x
