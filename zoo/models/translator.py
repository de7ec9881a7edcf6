"""Translator with attention: (source [B, S], target so far [B, T]) -> logits [B, T, vocabulary] of the next token.

    memory = BiGRU(E[source])                               one state for each subword of the source
    h_t    = GRU_1(E[target_t], h_t-1)                      h_0 from the source, read to both ends
    look_t = softmax(h_t K^T / sqrt(d)), K = memory W_k     which subwords matter now; padding does not
    g_t    = GRU_2([E[target_t]; look_t memory], g_t-1)     remembers what was looked at
    logits = tanh(W [h_t; g_t; look_t memory]) E^T + b      one matrix E for both languages and the output

The attention needs the state of the first layer alone, so a whole sentence is one native GRU, one product, one GRU.
`parts` cuts a model in an encoder and a decoder whose states are inputs and outputs, for searches step by step.
Source: Luong, Pham & Manning 2015, arXiv:1508.04025; E as in Press & Wolf 2017, arXiv:1608.05859.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from zoo.errors import InvalidInput
from zoo.layers import GRU, DotAttention, TiedEmbedding

Named = Callable[[str], Any]  # the layer of that name


@dataclass(frozen=True, kw_only=True)
class Config:
    """`vocabulary` counts the padding 0; each direction of the encoder and each decoder layer has `units`."""

    vocabulary: int
    embedding: int
    units: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.vocabulary, self.embedding, self.units) < 1:
            raise InvalidInput(
                f"vocabulary={self.vocabulary}, embedding={self.embedding} and units={self.units} must be 1 or more."
            )


def build(config: Config) -> keras.Model:
    layer = {item.name: item for item in _layers(config)}.__getitem__
    source, target = _tokens("source"), _tokens("target")
    memory, keys, *states = _encode(layer, source)
    logits, *_ = _decode(layer, target, source, memory, keys, *states)
    return keras.Model({"source": source, "target": target}, layers.Identity(name="logits")(logits), name="translator")


def parts(model: keras.Model) -> dict[str, keras.Model]:
    """ "encoder": source -> memory, keys, first_h, second_h (the states at the start).
    "decoder": target, source, memory, keys, first_h, second_h -> logits, look [B, T, S], first_h_out, second_h_out."""
    units = model.get_layer("first").units
    source, target = _tokens("source"), _tokens("target")
    encoded = _named(("memory", "keys", "first_h", "second_h"), _encode(model.get_layer, source))
    sizes = {"memory": (None, 2 * units), "keys": (None, units), "first_h": (units,), "second_h": (units,)}
    inputs = {name: keras.Input(size, name=name) for name, size in sizes.items()}
    decoded = _decode(model.get_layer, target, source, *inputs.values())
    return {
        "encoder": keras.Model({"source": source}, encoded, name="encoder"),
        "decoder": keras.Model(
            {"target": target, "source": source, **inputs},
            _named(("logits", "look", "first_h_out", "second_h_out"), decoded),
            name="decoder",
        ),
    }


def _named(names: Sequence[str], outputs: Sequence[Any]) -> dict[str, Any]:
    """Exported files call an output by the layer it comes from."""
    return {name: layers.Identity(name=name)(output) for name, output in zip(names, outputs, strict=True)}


def _tokens(name: str) -> Any:
    return keras.Input((None,), dtype="int32", name=name)


def _layers(config: Config) -> list[keras.layers.Layer]:
    hidden = GRU(config.units, return_sequences=True, return_state=True)
    return [
        TiedEmbedding(config.vocabulary, config.embedding, name="embedding"),
        layers.Bidirectional(hidden, name="encoder"),
        layers.Dense(config.units, use_bias=False, name="to_keys"),
        layers.Dense(config.units, activation="tanh", name="first_start"),
        layers.Dense(config.units, activation="tanh", name="second_start"),
        GRU(config.units, return_sequences=True, return_state=True, name="first"),
        DotAttention(name="attention"),
        GRU(config.units, return_sequences=True, return_state=True, name="second"),
        layers.Dense(config.embedding, activation="tanh", name="readout"),
        *(layers.Dropout(config.dropout, name=f"dropout_{place}") for place in _DROPOUTS),
    ]


_DROPOUTS = ("source", "memory", "target", "readout")


def _encode(layer: Named, source: Any) -> list[Any]:
    x = layer("dropout_source")(layer("embedding")(source))
    memory, forward, backward = layer("encoder")(x, mask=ops.not_equal(source, 0))
    memory, ends = layer("dropout_memory")(memory), ops.concatenate([forward, backward], -1)
    return [memory, layer("to_keys")(memory), layer("first_start")(ends), layer("second_start")(ends)]


def _decode(layer: Named, target: Any, source: Any, memory: Any, keys: Any, first: Any, second: Any) -> list[Any]:
    x = layer("dropout_target")(layer("embedding")(target))
    h, first = layer("first")(x, initial_state=first)
    context, look = layer("attention")(h, keys, memory, ops.not_equal(source, 0))
    g, second = layer("second")(ops.concatenate([x, context], -1), initial_state=second)
    answer = layer("readout")(ops.concatenate([h, g, context], -1))
    logits = layer("embedding")(layer("dropout_readout")(answer), reverse=True)
    return [logits, look, first, second]
