"""What a recurrent layer computes, freed from the layer: the one description every target lowers.

`describe(layer)` turns `LSTM`, `GRU`, `SimpleRNN`, `RNN(cell)` and `RNN([cell, …])`, Keras' or ours, into one
`Recurrence` a cell; None means that some step is not of these kinds and has to run as a loop of the layer's own cell.
A subclass counts as its base as long as it overrides neither `call` nor `inner_loop`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import activations, layers

from zoo import cells as zoo_cells
from zoo import layers as zoo_layers

Kind = Literal["lstm", "gru", "simple_rnn"]


@dataclass(frozen=True)
class Recurrence:
    """One direction of one recurrent layer: float32 weights in Keras' layout, B batch, D features, H units.

    kernel [D, g H], recurrent_kernel [H, g H], bias [g H], where g and the gate order are
    lstm: 4 (input, forget, cell candidate, output); gru: 3 (update, reset, candidate); simple_rnn: 1.
    A gru with `reset_after` has bias [2, 3 H]: input bias, recurrent bias. `use_bias=False` gives zeros.
    States: lstm [h, c], the others [h], each [B, H]. `returns_states` says that the model reads the final ones.
    """

    name: str
    kind: Kind
    kernel: np.ndarray = field(repr=False)
    recurrent_kernel: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    activation: str
    recurrent_activation: str
    reset_after: bool
    backwards: bool
    returns_states: bool

    @property
    def units(self) -> int:
        return int(self.recurrent_kernel.shape[0])

    @property
    def features(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("h", "c") if self.kind == "lstm" else ("h",)


_KINDS: dict[Any, Kind] = {
    layers.LSTMCell.call: "lstm",
    zoo_cells.LSTMCell.call: "lstm",
    layers.GRUCell.call: "gru",
    zoo_cells.GRUCell.call: "gru",
    layers.SimpleRNNCell.call: "simple_rnn",
}
_LAYER_CALLS = {kind.call for kind in (layers.RNN, layers.LSTM, layers.GRU, layers.SimpleRNN)}
_INNER_LOOPS = {kind.inner_loop for kind in (layers.RNN, layers.LSTM, layers.GRU, zoo_layers.LSTM, zoo_layers.GRU)}
_ACTIVATIONS: dict[Callable[..., Any], str] = {
    getattr(home, name): name
    for name in ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu", "leaky_relu", "softplus")
    for home in (activations, keras.ops)
} | {activations.linear: "linear"}


def has_own_call(layer: layers.RNN) -> bool:
    """Whether a subclass replaced `call` or `inner_loop`, so that the layer is not what its base class says."""
    return type(layer).call not in _LAYER_CALLS or type(layer).inner_loop not in _INNER_LOOPS


def describe(layer: layers.RNN) -> tuple[Recurrence, ...] | None:
    """The recurrences of a built layer, first to last, or None if any of its cells is not one of the three kinds."""
    stacked = isinstance(layer.cell, layers.StackedRNNCells)
    found = [_describe_cell(cell, layer) for cell in (layer.cell.cells if stacked else [layer.cell])]
    known = tuple(item for item in found if item is not None)
    return known if len(known) == len(found) else None


def _describe_cell(cell: Any, layer: layers.RNN) -> Recurrence | None:
    kind = _KINDS.get(getattr(type(cell), "call", None))
    if kind is None:
        return None
    gate = getattr(cell, "recurrent_activation", None)
    names = _ACTIVATIONS.get(cell.activation), _ACTIVATIONS.get(gate) if gate else "sigmoid"
    if names[0] is None or names[1] is None:
        return None
    kernel, recurrent_kernel = _float32(cell.kernel), _float32(cell.recurrent_kernel)
    reset_after = kind == "gru" and cell.reset_after
    shape = (2, kernel.shape[1]) if reset_after else (kernel.shape[1],)
    return Recurrence(
        name=layer.name if layer.cell is cell else f"{layer.name}/{cell.name}",
        kind=kind,
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=_float32(cell.bias).reshape(shape) if cell.use_bias else np.zeros(shape, "float32"),
        activation=names[0],
        recurrent_activation=names[1],
        reset_after=reset_after,
        backwards=layer.go_backwards,
        returns_states=layer.return_state,
    )


def _float32(weight: Any) -> np.ndarray:
    with tf.init_scope():  # a weight has a value outside the graph that is being traced
        return np.asarray(tf.cast(tf.convert_to_tensor(weight), tf.float32))
