"""A model in PyTorch, as `torch_translation` makes it of one in Keras: it is pickled, and loads where Keras is not.
Its recurrent layers, which other benchmarks train and step, are made here too, from weights in Keras' layout."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import MissingDependency

Call = Callable[..., Any]


def import_torch() -> Any:
    """The module. Raises MissingDependency if it is not installed."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise MissingDependency("This benchmark compares with PyTorch: pip install 'recurrent-zoo[bench]'.") from error


def recurrent(cell: str, sides: Sequence[Sequence[np.ndarray]]) -> Any:
    """`nn.LSTM` or `nn.GRU`, batch first, with the kernel, recurrent kernel and bias of one or both directions.
    Raises MissingDependency without PyTorch."""
    torch, (features, _) = import_torch(), sides[0][0].shape
    make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    module = make(features, len(sides[0][1]), batch_first=True, bidirectional=len(sides) == 2)
    return filled(module, [value for side in sides for value in _for_torch(cell, side)])


def _for_torch(cell: str, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """weight_ih, weight_hh, bias_ih, bias_hh: a row a gate and unit; a GRU's first two gates change places."""
    kernel, recurrent_kernel, bias = weights
    biases = [bias[0], bias[1]] if cell == "gru" else [bias, np.zeros_like(bias)]
    parts = [kernel.T, recurrent_kernel.T, *biases]
    if cell == "lstm":
        return parts
    return [np.concatenate([np.split(part, 3)[gate] for gate in (1, 0, 2)]) for part in parts]


def filled(module: Any, values: Sequence[np.ndarray]) -> Any:
    """The module with these values as its parameters, in its order."""
    torch = import_torch()
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


@dataclass(frozen=True)
class Twin:
    """`steps`: what is called, the places of the values it takes, and the place of the one it gives."""

    steps: tuple[tuple[Call, tuple[int, ...], int], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The model's inputs, in its order -> its outputs."""
        torch = import_torch()
        with torch.inference_mode():
            values = dict(zip(self.inputs, map(torch.from_numpy, arrays), strict=True))
            for call, taken, given in self.steps:
                values[given] = call(*(values[place] for place in taken))
            return [values[place].numpy() for place in self.outputs]


@dataclass(frozen=True)
class Recurrent:
    """An `nn.LSTM` or `nn.GRU` of one or both directions: [B, T, D] -> [B, T, H], or the last output of each."""

    module: Any
    sequences: bool
    units: int

    def __call__(self, x: Any) -> Any:
        sequence = self.module(x)[0]
        if self.sequences:
            return sequence
        if not self.module.bidirectional:
            return sequence[:, -1]
        return import_torch().cat([sequence[:, -1, : self.units], sequence[:, 0, self.units :]], -1)


@dataclass(frozen=True)
class Dense:
    module: Any
    activation: str

    def __call__(self, x: Any) -> Any:
        return activated(self.activation, self.module(x))


def activated(name: str, x: Any) -> Any:
    if name == "linear":
        return x
    functional = import_torch().nn.functional
    return functional.softmax(x, -1) if name == "softmax" else getattr(functional, name)(x)


def scaled(scale: Any, shift: Any, x: Any) -> Any:
    return x * scale + shift


def item(key: Any, x: Any) -> Any:
    return x[key]


def same(x: Any) -> Any:
    return x


def mean_over_time(x: Any) -> Any:
    return x.mean(1)


def joined(*parts: Any) -> Any:
    return import_torch().cat(parts, -1)


class Stepped:
    """One layer that is fed step by step: `push_of(batch)` starts a stream of so many rows, its state inside."""

    def __init__(self, cell: str, weights: Sequence[np.ndarray]) -> None:
        self._module = recurrent(cell, [weights])

    def push_of(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        """A frame [batch, 1, D] -> the output [batch, 1, H]."""
        torch, state = import_torch(), None

        def push(frame: np.ndarray) -> np.ndarray:
            nonlocal state
            with torch.inference_mode():
                output, state = self._module(torch.from_numpy(frame), state)
                found: np.ndarray = output.numpy()
                return found

        return push
