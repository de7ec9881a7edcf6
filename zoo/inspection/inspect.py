"""`inspect`: which layer, which units, and what they did over the input."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import InvalidInput
from zoo.inspection import picture
from zoo.inspection.signals import record
from zoo.layers.recurrent import is_eager
from zoo.loading import load


@dataclass(frozen=True)
class Inspection:
    """The signals of a layer by name, each float32 [B, T, units], step t belonging to step t of the layer's input.

    An LSTM has input_gate, forget_gate, output_gate, candidate, cell_state and hidden_state; a GRU update_gate,
    reset_gate, candidate and hidden_state; another cell its states. `backward` holds those of the second direction of
    a `Bidirectional`, else nothing. `units` are the indices of the last axis; where all were asked for, those of the
    hidden state: a projected LSTM has a cell state of another width. `inputs` is what the model was given;
    `mask` bool [B, T] is False where a step was skipped and its signals are those of the step before it.
    """

    layer: str
    cell: str
    units: tuple[int, ...]
    inputs: np.ndarray
    signals: dict[str, np.ndarray]
    backward: dict[str, np.ndarray] = field(default_factory=dict)
    mask: np.ndarray | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        """The signal of that name, of the forward direction where there are two."""
        if name not in self.signals:
            raise InvalidInput(f"Layer {self.layer!r} has no signal {name!r}; it has {', '.join(self.signals)}.")
        return self.signals[name]

    def plot(
        self,
        path: str | Path,
        *,
        example: int = 0,
        words: Sequence[str] | None = None,
        sample_rate: float | None = None,
        unit: str = "",
    ) -> Path:
        """Draws one example to `path` (.png, .svg, .pdf): its input, and below it every signal.

        words        what to write at each step, for text
        sample_rate  steps a second, for an axis in seconds
        unit         of the input
        """
        if not 0 <= example < len(self.inputs):
            raise InvalidInput(f"example={example} is not there: the input has {len(self.inputs)}, counted from 0.")
        return picture.draw(self, Path(path), picture.Axis(example, words, sample_rate, unit))


def inspect(
    model: keras.Model | str,
    x: Any,
    layer: str | None = None,
    units: Sequence[int] | None = None,
) -> Inspection:
    """Runs `model` (or the pretrained model of that name) on x [B, T, …], or one example [T, …], and looks inside.

    layer: the name of a recurrent layer or `Bidirectional`; the first one unless given.
    units: indices of units; all unless given.
    Raises InvalidInput for a layer or unit that does not exist, a layer that does not run exactly once or has several
    cells, and a model that is not functional. A stateful layer starts from its states as they are, and keeps them.
    """
    model = load(model) if isinstance(model, str) else model
    if not getattr(model, "inputs", None):
        raise InvalidInput(f"Model {model.name!r} has no inputs of its own: build it, or wrap it as keras.Model(x, y).")
    chosen = _choose(model, layer)
    directions = [chosen.forward_layer, chosen.backward_layer] if _is_pair(chosen) else [chosen]
    if isinstance(directions[0].cell, keras.layers.StackedRNNCells):
        count = len(directions[0].cell.cells)
        raise InvalidInput(
            f"Layer {chosen.name!r} has {count} cells: `inspect` looks into one. Give each its own layer."
        )
    inputs = _batch(model, x)
    found = [
        _signals(direction, call) for direction, call in zip(directions, _run(model, directions, inputs), strict=True)
    ]
    signals = [of_direction for of_direction, _ in found]
    if units is None:
        units = range(signals[0]["hidden_state"].shape[-1])
    else:
        _require_units(chosen, signals, units)
        signals = [{name: values[..., list(units)] for name, values in each.items()} for each in signals]
    forward, *backward = signals
    cell = type(directions[0].cell).__name__.removesuffix("Cell")
    picked = tuple(map(int, units))
    return Inspection(chosen.name, cell, picked, inputs, forward, backward[0] if backward else {}, found[0][1])


def _is_pair(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Bidirectional)


def _choose(model: keras.Model, name: str | None) -> Any:
    """The layer of that name, or the first recurrent one in the order of the model."""
    flat = list(dict.fromkeys(model._flatten_layers(include_self=False, recursive=True)))
    known = {layer.name: layer for layer in flat if _is_pair(layer) or _is_recurrent(layer)}
    if not known:
        raise InvalidInput(f"Model {model.name!r} has no recurrent layer to look into.")
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise InvalidInput(f"Model {model.name!r} has no recurrent layer {name!r}; it has {', '.join(known)}.")
    return known[name]


def _is_recurrent(layer: Any) -> bool:
    """Whether the layer's states are vectors: a `ConvLSTM2D` has images for states."""
    return isinstance(layer, keras.layers.RNN) and all(isinstance(s, int) for s in keras.tree.flatten(layer.state_size))


def _batch(model: keras.Model, x: Any) -> np.ndarray:
    """x with a batch axis. Raises InvalidInput if its rank is not that of the model's input."""
    if len(model.inputs) != 1:
        raise InvalidInput(f"Model {model.name!r} has {len(model.inputs)} inputs; `inspect` runs models of one.")
    (tensor,), array = model.inputs, np.asarray(x)
    array = array[None] if array.ndim == len(tensor.shape) - 1 else array
    fits = array.ndim == len(tensor.shape) and all(
        size in (None, found) for size, found in zip(tensor.shape[1:], array.shape[1:], strict=True)
    )
    if not fits or not array.size:
        sizes = ", ".join("any" if size is None else str(size) for size in tensor.shape)
        raise InvalidInput(
            f"Model {model.name!r} takes {tensor.name} [{sizes}]; this input has shape {list(np.shape(x))}."
        )
    return array


def _run(model: keras.Model, layers: Sequence[Any], x: np.ndarray) -> list[dict[str, Any]]:
    """What each layer was called with, while the model ran on x."""
    with contextlib.ExitStack() as scope:
        scope.enter_context(_states_kept(model))
        calls = [scope.enter_context(_listening(layer)) for layer in layers]
        model(keras.ops.convert_to_tensor(x, dtype=model.inputs[0].dtype), training=False)
    for layer, found in zip(layers, calls, strict=True):
        if len(found) != 1:
            raise InvalidInput(f"Layer {layer.name!r} ran {len(found)} times; `inspect` looks into one run.")
        if not is_eager(found[0]["sequences"]):
            raise InvalidInput(f"Layer {layer.name!r} runs inside another layer's loop: inspect it on its own input.")
    return [found[0] for found in calls]


@contextlib.contextmanager
def _states_kept(model: keras.Model) -> Iterator[None]:
    """Every stateful layer has after the scope the states it had before."""
    layers = [layer for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    states = [
        state for layer in layers for state in keras.tree.flatten(getattr(layer, "states", None)) if state is not None
    ]
    before = [keras.ops.convert_to_numpy(state).copy() for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


@contextlib.contextmanager
def _listening(layer: Any) -> Iterator[list[dict[str, Any]]]:
    """The arguments of every call of this layer, as long as the scope lasts."""
    calls: list[dict[str, Any]] = []
    original = layer.call

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, **options: Any) -> Any:
        carried = keras.tree.map_structure(keras.ops.copy, layer.states) if layer.stateful else None
        first = carried if initial_state is None else initial_state
        calls.append({"sequences": sequences, "initial_state": first, "mask": mask})
        return original(sequences, initial_state=initial_state, mask=mask, **options)

    layer.__dict__["call"] = call
    try:
        yield calls
    finally:
        del layer.__dict__["call"]


def _signals(layer: Any, call: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The layer's signals and mask as arrays, in the order of its input."""
    found = record(layer, call["sequences"], call["initial_state"], call["mask"])
    order = slice(None, None, -1 if layer.go_backwards else 1)
    arrays = {name: keras.ops.convert_to_numpy(value).astype("float32")[:, order] for name, value in found.items()}
    mask = keras.tree.flatten(call["mask"])[0] if call["mask"] is not None else None
    return arrays, None if mask is None else keras.ops.convert_to_numpy(mask).astype(bool)


def _require_units(layer: Any, signals: Sequence[dict[str, np.ndarray]], units: Sequence[int]) -> None:
    """Raises InvalidInput for a unit that is not in every signal."""
    size = min(values.shape[-1] for each in signals for values in each.values())
    wrong = next((unit for unit in units if not 0 <= unit < size), None)
    if wrong is not None or not len(units):
        what = "no unit at all" if wrong is None else f"no unit {wrong}"
        raise InvalidInput(f"Layer {layer.name!r} has {what}: choose from 0 to {size - 1}.")
