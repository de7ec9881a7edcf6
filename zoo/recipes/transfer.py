"""Training that starts from a trained model: `zoo train NAME --from gru.har`."""

from dataclasses import dataclass
from typing import Any

import keras

from zoo.errors import InvalidInput


@dataclass(frozen=True)
class Start:
    """Gives a fresh model the weights of `source`, layer by layer, each by its name.

    head:   the last layer is taken over too; else it starts fresh, as new classes need
    frozen: every layer that was taken over keeps its weights; what is left, at least the last layer, is trained
    Raises: InvalidInput with every layer that has no partner, if `source` is built differently.
    """

    source: keras.Model
    head: bool = False
    frozen: bool = False

    def __call__(self, model: keras.Model) -> None:
        last = model.layers[-1]
        taken = [layer for layer in model.layers if layer.weights and (self.head or layer is not last)]
        _require_fit(taken, self.source)
        for layer in taken:
            layer.set_weights(self.source.get_layer(layer.name).get_weights())
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # it computes with constants made of its weights
            layer.trainable = not self.frozen or layer is last


def _require_fit(layers: list[Any], source: keras.Model) -> None:
    """By layer, since Keras numbers the cells inside anew in every model."""
    there = {layer.name: layer for layer in source.layers if layer.weights}
    differing = []
    for layer in layers:
        wanted, found = _shapes(layer), _shapes(there[layer.name]) if layer.name in there else "missing"
        if wanted != found:
            differing.append(f"{layer.name} is {wanted} here and {found} there")
    if differing:
        raise InvalidInput(
            f"Model {source.name!r} does not fit this recipe: {'; '.join(differing)}. "
            "Start from a model of the same architecture."
        )


def _shapes(layer: Any) -> str:
    return ", ".join("×".join(map(str, weight.shape)) or "number" for weight in layer.weights)
