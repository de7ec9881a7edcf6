"""The recurrent stack that the families share: steps in, one vector a sequence out."""

from dataclasses import dataclass
from typing import Any, Literal

import keras

from zoo.errors import InvalidInput
from zoo.models.recurrence import LAYERS, require


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """`units` holds one size a layer; `pooling` reads the last hidden state, the mean over time, or each step;
    `dropout` acts in training only, after each layer."""

    recurrence: Literal["lstm", "gru", "simple_rnn"]
    units: tuple[int, ...]
    bidirectional: bool = False
    pooling: Literal["last", "mean", "each"] = "last"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.recurrence, LAYERS)
        if not self.units or any(size < 1 for size in self.units):
            raise InvalidInput(f"units={list(self.units)} must hold one positive size for each layer.")
        if self.pooling not in ("last", "mean", "each"):
            raise InvalidInput(f"pooling={self.pooling!r} is unknown; use 'last', 'mean' or 'each'.")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(StackConfig):
    """`noise` acts in training only. `normalize` puts a `Normalization` first, adapted by the recipe.
    `compand` > 0 adds tanh(compand x) of the first `compand_features` channels, so that a movement too small to
    matter beside large ones is still seen; the idea is that of companding in telephony."""

    features: int
    noise: float = 0.0
    normalize: bool = True
    compand: float = 0.0
    compand_features: int = 0


def encode(frames: Any, config: EncoderConfig) -> Any:
    """frames [B, T, features] -> [B, units], or [B, 2 units] when bidirectional."""
    # Layers
    x = keras.layers.Normalization(name="normalization")(frames) if config.normalize else frames
    if config.compand:
        x = keras.layers.Concatenate(name="companded")([x, _companded(x, config)])
    if config.noise:
        x = keras.layers.GaussianNoise(config.noise, name="noise")(x)
    return stack(x, config)


def stack(x: Any, config: StackConfig) -> Any:
    """x [B, T, D], with or without a mask -> [B, units], or [B, 2 units] when bidirectional; with
    pooling="each" [B, T, units]."""
    for index, units in enumerate(config.units):
        sequences = index < len(config.units) - 1 or config.pooling != "last"
        layer = LAYERS[config.recurrence](units, return_sequences=sequences, name=f"{config.recurrence}_{index + 1}")
        if config.bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{index + 1}")
        x = layer(x)
        if config.dropout:
            x = keras.layers.Dropout(config.dropout, name=f"dropout_{index + 1}")(x)
    return keras.layers.GlobalAveragePooling1D(name="mean_over_time")(x) if config.pooling == "mean" else x


def _companded(x: Any, config: EncoderConfig) -> Any:
    scaled = keras.layers.Rescaling(config.compand, name="amplified")(x[..., : config.compand_features])
    return keras.layers.Activation("tanh", name="saturated")(scaled)
