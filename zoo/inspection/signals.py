"""What a cell computes on the way to its next state: every gate and state of every step.

`record` runs a layer's own cell under Keras' own loop, so masks, initial states and `go_backwards` mean what they mean
in the layer. Shapes: x [B, T, D]; every signal [B, T, H]. A masked step repeats what the step before it had.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo import cells

Signals = dict[str, Any]  # name -> tensor [B, H]


def lstm(cell: Any, x: Any, states: Any, following: Any) -> Signals:
    z = ops.matmul(x, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
    i, f, g, o = ops.split(z + cell.bias if cell.use_bias else z, 4, axis=-1)
    return {
        "input_gate": cell.recurrent_activation(i),
        "forget_gate": cell.recurrent_activation(f),
        "output_gate": cell.recurrent_activation(o),
        "candidate": cell.activation(g),
        "cell_state": following[1],
        "hidden_state": following[0],
    }


def gru(cell: Any, x: Any, states: Any, following: Any) -> Signals:
    h, size = states[0], cell.units
    of_input, of_hidden = ops.matmul(x, cell.kernel), ops.matmul(h, cell.recurrent_kernel)
    if cell.use_bias:
        of_input = of_input + (cell.bias[0] if cell.reset_after else cell.bias)
        of_hidden = of_hidden + cell.bias[1] if cell.reset_after else of_hidden
    z, r = ops.split(cell.recurrent_activation((of_input + of_hidden)[:, : 2 * size]), 2, axis=-1)
    if cell.reset_after:
        recurrent = r * of_hidden[:, 2 * size :]
    else:
        recurrent = ops.matmul(r * h, cell.recurrent_kernel[:, 2 * size :])
    n = cell.activation(of_input[:, 2 * size :] + recurrent)
    return {"update_gate": z, "reset_gate": r, "candidate": n, "hidden_state": following[0]}


def states_alone(cell: Any, x: Any, states: Any, following: Any) -> Signals:
    """Of a cell whose gates are not known here: its states, the hidden state last."""
    names = ["hidden_state", "cell_state", *(f"state_{index}" for index in range(3, len(following) + 1))]
    return dict(reversed(list(zip(names, following, strict=False))))


_SIGNALS: dict[type, Callable[[Any, Any, Any, Any], Signals]] = {
    keras.layers.LSTMCell: lstm,
    cells.LSTMCell: lstm,
    keras.layers.GRUCell: gru,
    cells.GRUCell: gru,
}


def record(layer: Any, x: Any, initial_state: Any, mask: Any) -> Signals:
    """Every signal [B, T, H] of an RNN layer over x, in the order in which the layer reads x."""
    recording = _Recording(layer.cell)
    runner = keras.layers.RNN(recording, return_sequences=True, go_backwards=layer.go_backwards)
    values = runner(x, initial_state=initial_state, mask=mask)
    edges = list(_edges(recording.sizes))
    parts = ops.split(values, edges, axis=-1) if edges else [values]  # TensorFlow cannot split into one
    return dict(zip(recording.sizes, parts, strict=True))


def _edges(sizes: dict[str, int]) -> Any:
    """Where each signal but the first begins."""
    at = 0
    for size in list(sizes.values())[:-1]:
        at += size
        yield at


class _Recording(keras.layers.Layer):
    """The cell it is given, with all signals side by side as the step's output; `sizes` holds their widths."""

    def __init__(self, cell: Any) -> None:
        super().__init__(dtype=cell.dtype_policy)
        self.cell, self.state_size = cell, cell.state_size
        self.signals = _SIGNALS.get(type(cell), states_alone)
        self.sizes: dict[str, int] = {}
        self.built = True

    def get_initial_state(self, batch_size: int) -> Any:
        return self.cell.get_initial_state(batch_size=batch_size)

    def call(self, x: Any, states: Any) -> tuple[Any, Any]:
        _, following = self.cell(x, states)
        before, after = keras.tree.flatten(states), keras.tree.flatten(following)
        found = self.signals(self.cell, x, before, after)
        self.sizes = {name: value.shape[-1] for name, value in found.items()}
        return ops.concatenate(list(found.values()), axis=-1), following
