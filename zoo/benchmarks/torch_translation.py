"""A Keras model with the same weights in PyTorch, so that the two can be compared: `nn.LSTM` and `nn.GRU` for its
recurrent layers, `nn.Linear` for `Dense`, and the few layers around them that the models of the zoo have.

Only what is written here is translated; every other layer, and a mask, is refused by name.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.benchmarks import torch_twin
from zoo.benchmarks.torch_twin import import_torch
from zoo.errors import Unsupported


def twin(model: keras.Model) -> torch_twin.Twin:
    """Raises Unsupported for a layer that has no counterpart here, MissingDependency without PyTorch."""
    import_torch()
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "_run_through_graph"):
        raise Unsupported(f"Model {model.name!r} is no functional model: only those have a twin in PyTorch.")
    steps: list[tuple[torch_twin.Call, tuple[int, ...], int]] = []
    inputs = [_Place(number) for number in range(len(graph.inputs))]

    def record(operation: Any) -> torch_twin.Call:
        def call(*arguments: Any, **options: Any) -> _Place:
            made = _Place(len(inputs) + len(steps))
            leaves = keras.tree.flatten((arguments, options))
            taken = tuple(leaf.number for leaf in leaves if isinstance(leaf, _Place))
            slices = type(operation).__name__ == "GetItem"
            steps.append(
                (
                    functools.partial(torch_twin.item, arguments[1]) if slices else translated(operation),
                    taken,
                    made.number,
                )
            )
            return made

        return call

    outputs = keras.tree.flatten(graph._run_through_graph(inputs, operation_fn=record))
    return torch_twin.Twin(
        tuple(steps), tuple(place.number for place in inputs), tuple(place.number for place in outputs)
    )


@dataclass(frozen=True)
class _Place:
    """Stands for a tensor while the graph is walked."""

    number: int


def translated(layer: Any) -> torch_twin.Call:
    """One layer. Raises Unsupported."""
    make = next((make for kind, make in _MAKERS.items() if isinstance(layer, kind)), None)
    if make is None or getattr(layer, "mask_zero", False):
        what = "masks its input" if make else f"is a {type(layer).__name__}"
        raise Unsupported(f"Layer {layer.name!r} {what}, which has no twin in PyTorch here.")
    return make(layer)


def _recurrent(layer: layers.RNN) -> torch_twin.Recurrent:
    return _of_sides([layer], layer.return_sequences)


def _bidirectional(layer: layers.Bidirectional) -> torch_twin.Recurrent:
    if layer.merge_mode != "concat":
        raise Unsupported(f"Layer {layer.name!r} merges by {layer.merge_mode!r}, which has no twin in PyTorch here.")
    return _of_sides([layer.forward_layer, layer.backward_layer], layer.return_sequences)


def _of_sides(sides: Sequence[Any], sequences: bool) -> torch_twin.Recurrent:
    first = sides[0]
    kind = "gru" if isinstance(first, layers.GRU) else "lstm"
    standard = all(
        isinstance(side, layers.GRU | layers.LSTM)
        and (side.activation, side.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
        and side.use_bias
        and side.go_backwards == (side is not first)
        and getattr(side, "reset_after", True)
        for side in sides
    )
    if not standard:
        raise Unsupported(f"Layer {first.name!r} is no standard LSTM or GRU, which has no twin in PyTorch here.")
    module = torch_twin.recurrent(kind, [list(map(np.asarray, side.get_weights())) for side in sides])
    return torch_twin.Recurrent(module.eval(), sequences, first.units)


def _dense(layer: layers.Dense) -> torch_twin.Dense:
    kernel, *bias = map(np.asarray, layer.get_weights())
    module = import_torch().nn.Linear(*kernel.shape, bias=bool(bias))
    return torch_twin.Dense(torch_twin.filled(module, [kernel.T, *bias]), _known(layer))


def _activation(layer: layers.Activation) -> torch_twin.Call:
    return functools.partial(torch_twin.activated, _known(layer))


_ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu", "softmax", "softsign", "gelu", "softplus")


def _known(layer: layers.Layer) -> str:
    name = str(keras.activations.serialize(layer.activation))
    if name not in _ACTIVATIONS:
        raise Unsupported(f"Layer {layer.name!r} has activation {name!r}, which has no twin in PyTorch here.")
    return name


def _affine(scale: Any, shift: Any) -> torch_twin.Call:
    torch = import_torch()
    tensors = [torch.from_numpy(np.array(value, "float32")) for value in (scale, shift)]
    return functools.partial(torch_twin.scaled, *tensors)


def _normalization(layer: layers.Normalization) -> torch_twin.Call:
    mean, deviation = np.asarray(layer.mean), np.maximum(np.sqrt(np.asarray(layer.variance)), 1e-7)
    return _affine(1 / deviation, -mean / deviation)


_MAKERS: Mapping[type, Callable[[Any], torch_twin.Call]] = {
    layers.LSTM: _recurrent,
    layers.GRU: _recurrent,
    layers.Bidirectional: _bidirectional,
    layers.Dense: _dense,
    layers.Activation: _activation,
    layers.Normalization: _normalization,
    layers.Rescaling: lambda layer: _affine(layer.scale, layer.offset),
    layers.Concatenate: lambda layer: torch_twin.joined,
    layers.GlobalAveragePooling1D: lambda layer: torch_twin.mean_over_time,
    layers.Dropout: lambda layer: torch_twin.same,
    layers.SpatialDropout1D: lambda layer: torch_twin.same,
    layers.GaussianNoise: lambda layer: torch_twin.same,
    layers.Embedding: lambda layer: torch_twin.filled(
        import_torch().nn.Embedding(layer.input_dim, layer.output_dim), [np.asarray(layer.get_weights()[0])]
    ),
}
