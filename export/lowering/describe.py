"""Layers as recurrences: `describe` turns `LSTM`, `GRU`, `SimpleRNN`, `RNN(cell)` and `RNN([cell, …])`, Keras' or ours,
into one `Recurrence` a cell, or `Steps` for a cell of `zoo.cells` that no operator computes.

A subclass counts as its base as long as it overrides no step. Of the LSTM family these have operators:

    PeepholeLSTM   lstm with peepholes: ONNX `LSTM` with `P`, which ONNX Runtime and onnx.reference compute and OpenVINO
                   2026.4 passes over in silence; steps for the other formats
    CoupledLSTM    lstm whose forget gate has the negated weights of the input gate, as s(-z) = 1 - s(z): the plain
                   operator everywhere. In ONNX `input_forget=1` says it as well; runtimes that pass over the attribute,
                   such as onnx.reference and OpenVINO, answer the same
    MinimalGated   gru with `reset_after=False` whose update gate has the negated weights of its reset gate
    IndRNN         simple_rnn whose recurrent kernel is diagonal
    Zoneout        the cell inside where both rates are 0; no operator blends a state with the one before

`LayerNormLSTM`, `LayerNormGRU` and `ProjectedLSTM` are steps: ONNX has no such operators, and the converter to TFLite
makes none. `MinGRU` and `MinLSTM` are scans, see `lowering/steps.py`.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import activations, layers

from export.lowering.recurrence import Kind, Recurrence, Steps
from zoo import cells as zoo_cells
from zoo import layers as zoo_layers
from zoo.cells.gated import GatedCell

_KINDS: dict[Any, Kind] = {
    layers.LSTMCell.call: "lstm",
    zoo_cells.LSTMCell.call: "lstm",
    layers.GRUCell.call: "gru",
    zoo_cells.GRUCell.call: "gru",
    layers.SimpleRNNCell.call: "simple_rnn",
}
_OURS = (zoo_layers.LSTM, zoo_layers.GRU, zoo_layers.RNN, zoo_layers.MinGRU)
_LAYER_CALLS = {kind.call for kind in (layers.RNN, layers.LSTM, layers.GRU, layers.SimpleRNN, *_OURS)}
_INNER_LOOPS = {kind.inner_loop for kind in (layers.RNN, layers.LSTM, layers.GRU, *_OURS)}
_ACTIVATIONS: dict[Callable[..., Any], str] = {
    getattr(home, name): name
    for name in ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu", "leaky_relu", "softplus")
    for home in (activations, keras.ops)
} | {activations.linear: "linear"}
_LSTM_HALVES = {name: half for name, half in vars(layers.LSTMCell).items() if name.startswith("_compute_")}
_MIRRORED = ("sigmoid", "hard_sigmoid")  # gates for which one minus the gate is the gate of the negated input


def has_own_call(layer: layers.RNN) -> bool:
    """Whether a subclass replaced `call` or `inner_loop`, so that the layer is not what its base class says."""
    return type(layer).call not in _LAYER_CALLS or type(layer).inner_loop not in _INNER_LOOPS


def describe(layer: layers.RNN) -> tuple[Recurrence | Steps, ...] | None:
    """The recurrences of a built layer, first to last, or None if any of its cells is of no kind known here."""
    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    found = [_describe_cell(cell, layer) for cell in cells]
    known = tuple(item for item in found if item is not None)
    return known if len(known) == len(found) else None


def _describe_cell(cell: Any, layer: layers.RNN) -> Recurrence | Steps | None:
    name = layer.name if layer.cell is cell else f"{layer.name}/{cell.name}"
    call = getattr(type(cell), "call", None)
    if call is zoo_cells.ZoneoutCell.call and not any(cell.rates):
        cell = cell.cell
        call = getattr(type(cell), "call", None)
    if call in _KINDS and not _has_own_halves(cell):
        return _described(name, _KINDS[call], cell, layer, _weights(cell))
    if call not in (GatedCell.call, zoo_cells.ZoneoutCell.call):
        return None
    steps = Steps(name, cell, layer.go_backwards)
    native = next((make for kind, make in _NATIVE.items() if _steps_as(cell, kind)), None)
    return (native and native(name, cell, layer, steps)) or steps


def _has_own_halves(cell: Any) -> bool:
    """Whether a subclass of Keras' LSTM cell replaced a method that its `call` leaves the gates to."""
    return any(getattr(type(cell), name, half) is not half for name, half in _LSTM_HALVES.items())


def _steps_as(cell: Any, kind: type[GatedCell]) -> bool:
    """Whether a cell is of this kind with no half of its step replaced."""
    own: Any = type(cell)
    return issubclass(own, kind) and own.project is kind.project and own.step is kind.step


Weights = tuple[np.ndarray, np.ndarray, np.ndarray]  # kernel, recurrent kernel, bias


def _weights(cell: Any) -> Weights:
    """In float32; a bias that a cell lacks is zero, and that of a GRU has the shape its `reset_after` gives it."""
    kernel = _float32(cell.kernel)
    shape = (2, kernel.shape[1]) if getattr(cell, "reset_after", False) else (kernel.shape[1],)
    bias = _float32(cell.bias).reshape(shape) if cell.use_bias else np.zeros(shape, "float32")
    return kernel, _float32(cell.recurrent_kernel), bias


def _described(name: str, kind: Kind, cell: Any, layer: layers.RNN, weights: Weights, **more: Any) -> Recurrence | None:
    gate = getattr(cell, "recurrent_activation", None)
    activation, of_gates = _ACTIVATIONS.get(cell.activation), _ACTIVATIONS.get(gate) if gate else "sigmoid"
    if activation is None or of_gates is None:
        return None
    return Recurrence(
        name,
        kind,
        *weights,
        activation=activation,
        recurrent_activation=of_gates,
        reset_after=kind == "gru" and getattr(cell, "reset_after", False),
        backwards=layer.go_backwards,
        returns_states=layer.return_state,
        **more,
    )


def _peephole_lstm(name: str, cell: Any, layer: layers.RNN, steps: Steps) -> Recurrence | None:
    peepholes = _float32(cell.peephole)
    return _described(name, "lstm", cell, layer, _weights(cell), peepholes=peepholes, otherwise=steps)


def _coupled_lstm(name: str, cell: Any, layer: layers.RNN, steps: Steps) -> Recurrence | None:
    def with_forget_gate(weight: np.ndarray) -> np.ndarray:
        i, g, o = np.split(weight, 3, -1)
        return np.concatenate([i, -i, g, o], -1)

    kernel, recurrent_kernel, bias = map(with_forget_gate, _weights(cell))
    if not _mirrored(cell):
        return None
    return _described(name, "lstm", cell, layer, (kernel, recurrent_kernel, bias), coupled=True, otherwise=steps)


def _minimal_gated(name: str, cell: Any, layer: layers.RNN, steps: Steps) -> Recurrence | None:
    def with_update_gate(weight: np.ndarray) -> np.ndarray:
        f, n = np.split(weight, 2, -1)
        return np.concatenate([-f, f, n], -1)

    kernel, recurrent_kernel, bias = map(with_update_gate, _weights(cell))
    if not _mirrored(cell):
        return None
    return _described(name, "gru", cell, layer, (kernel, recurrent_kernel, bias), otherwise=steps)


def _ind_rnn(name: str, cell: Any, layer: layers.RNN, steps: Steps) -> Recurrence | None:
    kernel, own_past, bias = _weights(cell)
    return _described(name, "simple_rnn", cell, layer, (kernel, np.diag(own_past), bias), otherwise=steps)


def _mirrored(cell: Any) -> bool:
    return _ACTIVATIONS.get(cell.recurrent_activation) in _MIRRORED


_NATIVE: dict[type[GatedCell], Callable[[str, Any, layers.RNN, Steps], Recurrence | None]] = {
    zoo_cells.PeepholeLSTMCell: _peephole_lstm,
    zoo_cells.CoupledLSTMCell: _coupled_lstm,
    zoo_cells.MinimalGatedCell: _minimal_gated,
    zoo_cells.IndRNNCell: _ind_rnn,
}


def _float32(weight: Any) -> np.ndarray:
    with tf.init_scope():  # a weight has a value outside the graph that is being traced
        return np.asarray(tf.cast(tf.convert_to_tensor(weight), tf.float32))
