"""Recurrences in integers that TFLite has no operator for: a `WHILE` over steps of int16 activations and int8 weights.

The converter's quantiser ends its process at a loop. So it never sees one: a recurrence reaches it as a custom operator
of one input and one output, the marker (`export.lowering.marked`), which it leaves in float; here the marker becomes

    main    x, int16 [B, T, D] -> by time -> WHILE -> by row [B, T, H]
    step    p = x[t] W + b;  q = h U;  gates in Q3.12, as in LiteRT's own integer LSTM;  h' to row t of the outputs

h is within ±1 and has 16 bits, so that the slow parts of a state move at all: in 8 bits a step below 1/256 is lost.
The fused LSTM has no 16 bits: LiteRT (2.3) takes one whose input is int16 for a float one, and refuses its biases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.lowering.recurrence import Recurrence
from export.tflite_graph import Graph, Kind

_UNIT = 2.0**-15  # h, and what sigmoid and tanh give
_GATE = 2.0**-12  # what they take: ±8, beyond which they are flat
_FULL = 2**15 - 1


@dataclass(frozen=True)
class Ranges:
    """The largest absolute values calibration saw: of x, of x W + b, and of an LSTM's cell state."""

    x: float
    projected: float
    cell: float


def ranges(item: Recurrence, xs: Sequence[np.ndarray]) -> Ranges:
    """Of the inputs xs [B, T, D] of a forward recurrence."""
    bias = item.bias[0] if item.reset_after else item.bias
    found = [Ranges(*_largest(item, x, x @ item.kernel + bias)) for x in xs]
    return Ranges(*(max(getattr(one, name) for one in found) for name in ("x", "projected", "cell")))


def _largest(item: Recurrence, x: np.ndarray, projected: np.ndarray) -> tuple[float, float, float]:
    cell = _largest_cell(item, projected) if item.kind == "lstm" else 0.0
    return float(np.abs(x).max()), float(np.abs(projected).max()), cell


def _largest_cell(item: Recurrence, projected: np.ndarray) -> float:
    h = c = np.zeros((len(projected), item.units), "float32")
    largest = 0.0
    for step in projected.swapaxes(0, 1):
        i, f, g, o = np.split(step + h @ item.recurrent_kernel, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h, largest = _sigmoid(o) * np.tanh(c), max(largest, float(np.abs(c).max()))
    return largest


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def replace(content: bytes, items: Mapping[str, tuple[Recurrence, Ranges]]) -> bytes:
    """The file with every marker, by name, in integers."""
    main = Graph.read(content)
    for operator in list(main.operators):
        name = main.custom_code(operator)
        if name in items:
            _Loop(main, operator, *items[name]).write()
    main.prune()
    return main.packed()


def expresses(item: Recurrence) -> bool:
    """Whether all its values have known bounds, and its cell state, if it has one, stays inside."""
    bounded = item.activation == "tanh" and item.recurrent_activation == "sigmoid" and item.peepholes is None
    return bounded and not (item.kind == "lstm" and item.returns_states)


class _Loop:
    """One marker and what takes its place."""

    def __init__(self, main: Graph, marker: Any, item: Recurrence, found: Ranges) -> None:
        self.main, self.marker, self.item, self.ranges = main, marker, item, found
        (self.x,), (self.answer,) = marker.inputs, marker.outputs
        batch, self.steps, _ = main.sizes(self.x)
        assert batch is not None, "a TFLite file has a batch of its own"
        self.batch, self.integer_x = batch, self._integer_x()
        self.scale_x, self.scale_p = self._input_scale(), _scale(found.projected)
        recurrent = np.abs(item.recurrent_kernel).sum(0) + np.abs(self._recurrent_bias())
        self.scale_q = _scale(float(recurrent.max()))
        self.scale_c = 2.0 ** np.ceil(np.log2(max(2 * found.cell, 1e-3))) * _UNIT

    def write(self) -> None:
        main, item = self.main, self.item
        before, main.operators = main.operators, []
        place = before.index(self.marker)
        outputs = self._looped(self._by_time())
        by_row = main.operator("TRANSPOSE", [outputs, main.integers([1, 0, 2])], self._rows(item.units, _UNIT))
        for consumer in [operator for operator in before if self.answer in operator.inputs]:
            if main.name(consumer) == "QUANTIZE":
                consumer.inputs = [by_row]
        if self.answer in main.outputs or any(self.answer in operator.inputs for operator in before):
            main.operator("DEQUANTIZE", [by_row], into=self.answer)
        main.operators = [*before[:place], *main.operators, *before[place + 1 :]]

    def _by_time(self) -> int:
        """x [T, B, D] in int16."""
        main, width = self.main, self.item.features
        x = main.operator("QUANTIZE", [self.integer_x], self._rows(width, self.scale_x))
        return main.operator("TRANSPOSE", [x, main.integers([1, 0, 2])], self._times(width, self.scale_x))

    def _integer_x(self) -> int:
        """What the marker reads, before it was made float for its sake."""
        maker = self.main.maker(self.x)
        return maker.inputs[0] if maker is not None and self.main.name(maker) == "DEQUANTIZE" else self.x

    def _input_scale(self) -> float:
        integer_x = self.main.tensors[self.integer_x]
        quantization = integer_x.quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return _scale(self.ranges.x)
        zero = int(quantization.zeroPoint[0])
        if integer_x.type == schema.TensorType.INT16:
            return float(quantization.scale[0])
        return _scale(float(quantization.scale[0]) * max(127 - zero, zero + 128))

    def _looped(self, x: int) -> int:
        """The outputs [T, B, H]."""
        main, item = self.main, self.item
        states = [("h", _UNIT), ("c", self.scale_c)][: len(item.state_names)]
        zeros = [main.constant(np.zeros((self.batch, item.units), "int16"), scale) for _, scale in states]
        count = self._count(x)
        carried = [main.integers(0), count, x, self._rows_of_zeros(count), *zeros]
        kinds = [main.kind(index) for index in carried]
        options = schema.WhileOptionsT()
        options.condSubgraphIndex, options.bodySubgraphIndex = self._condition(kinds), self._body(kinds)
        return main.operators_of("WHILE", carried, kinds, options)[3]

    def _count(self, x: int) -> int:
        if self.steps is not None:
            return self.main.integers(self.steps)
        sizes = self.main.operator("SHAPE", [x], Kind([3], schema.TensorType.INT32))
        return self.main.operator("GATHER", [sizes, self.main.integers(0)], Kind([], schema.TensorType.INT32))

    def _rows_of_zeros(self, count: int) -> int:
        """What the outputs are before the loop; neither runtime fills int16 by itself."""
        main, units = self.main, self.item.units
        if self.steps is None:
            sizes = [count, main.integers(self.batch), main.integers(units)]
            shape = main.operator("PACK", sizes, Kind([3], schema.TensorType.INT32))
        else:
            shape = main.integers([self.steps, self.batch, units])
        zero = main.tensor(Kind([], schema.TensorType.FLOAT32), np.zeros((), "float32"))
        rows = main.operator("FILL", [shape, zero], Kind([self.steps, self.batch, units], schema.TensorType.FLOAT32))
        return main.operator("QUANTIZE", [rows], self._times(units, _UNIT))

    def _condition(self, kinds: Sequence[Kind]) -> int:
        graph = self.main.nested(kinds)
        t, count, *_ = graph.inputs
        graph.outputs = [graph.operator("LESS", [t, count], Kind([], schema.TensorType.BOOL))]
        return graph.index

    def _body(self, kinds: Sequence[Kind]) -> int:
        graph, item = self.main.nested(kinds), self.item
        t, count, x, outputs, *states = graph.inputs
        zero = graph.integers(0)
        place = graph.operator("PACK", [t, zero, zero], Kind([3], schema.TensorType.INT32))
        new = _STEPS[item.kind](self, graph, self._projected(graph, x, place), states)
        row = graph.operator("RESHAPE", [new[0], graph.integers([1, self.batch, item.units])], self._row(item.units))
        outputs = graph.operator("DYNAMIC_UPDATE_SLICE", [outputs, row, place], kinds[3])
        later = graph.operator("ADD", [t, graph.integers(1)], Kind([], schema.TensorType.INT32))
        graph.outputs = [later, count, x, outputs, *new]
        return graph.index

    def _projected(self, graph: Graph, x: int, place: int) -> int:
        """x W + b of one step, [B, g H]. TensorFlow Lite Micro has no `GATHER` of int16."""
        item, width = self.item, self.item.features
        size = graph.integers([1, self.batch, width])
        row = graph.operator("SLICE", [x, place, size], self._row(width, self.scale_x))
        x_t = graph.operator("RESHAPE", [row, graph.integers([self.batch, width])], self._step(width, self.scale_x))
        bias = item.bias[0] if item.reset_after else item.bias
        return _product(graph, x_t, self.scale_x, item.kernel, bias, self._step(item.kernel.shape[1], self.scale_p))

    # ------------------------------------------------------------------------------------------ one step of each kind

    def lstm(self, graph: Graph, p: int, states: Sequence[int]) -> list[int]:
        """See `zoo.cells.LSTMCell`."""
        h, c = states
        total = self._sum(graph, p, self._recurrent(graph, h, self.item.recurrent_kernel))
        i, f, g, o = graph.split(total, 4)
        kept = graph.operator("MUL", [self._unit(graph, "LOGISTIC", f), c], self._step(self.item.units, self.scale_c))
        new = self._product(graph, self._unit(graph, "LOGISTIC", i), self._unit(graph, "TANH", g))
        c = graph.operator("ADD", [kept, new], self._step(self.item.units, self.scale_c))
        return [self._product(graph, self._unit(graph, "LOGISTIC", o), self._unit(graph, "TANH", c)), c]

    def gru(self, graph: Graph, p: int, states: Sequence[int]) -> list[int]:
        """See `zoo.cells.GRUCell`; z h + (1 - z) n is written n + z (h - n)."""
        (h,), units = states, self.item.units
        p_z, p_r, p_n = graph.split(p, 3)
        zr_kernel, n_kernel = self.item.recurrent_kernel[:, : 2 * units], self.item.recurrent_kernel[:, 2 * units :]
        if self.item.reset_after:
            q_z, q_r, q_n = graph.split(self._recurrent(graph, h, self.item.recurrent_kernel), 3)
        else:
            q_z, q_r = graph.split(self._recurrent(graph, h, zr_kernel), 2)
        z = self._unit(graph, "LOGISTIC", self._sum(graph, p_z, q_z))
        r = self._unit(graph, "LOGISTIC", self._sum(graph, p_r, q_r))
        if self.item.reset_after:
            q_n = graph.operator("MUL", [r, q_n], self._step(units, self.scale_q))
        else:
            q_n = self._recurrent(graph, self._product(graph, r, h), n_kernel)
        n = self._unit(graph, "TANH", self._sum(graph, p_n, q_n))
        difference = graph.operator("SUB", [h, n], self._step(units, 2 * _UNIT))
        moved = graph.operator("MUL", [z, difference], self._step(units, 2 * _UNIT))
        return [graph.operator("ADD", [n, moved], self._step(units, _UNIT))]

    def simple_rnn(self, graph: Graph, p: int, states: Sequence[int]) -> list[int]:
        total = self._sum(graph, p, self._recurrent(graph, states[0], self.item.recurrent_kernel))
        return [self._unit(graph, "TANH", total)]

    def _recurrent(self, graph: Graph, h: int, kernel: np.ndarray) -> int:
        bias = self._recurrent_bias()[: kernel.shape[1]]
        return _product(graph, h, _UNIT, kernel, bias, self._step(kernel.shape[1], self.scale_q))

    def _recurrent_bias(self) -> np.ndarray:
        return self.item.bias[1] if self.item.reset_after else np.zeros(self.item.kernel.shape[1], "float32")

    def _sum(self, graph: Graph, first: int, second: int) -> int:
        return graph.operator("ADD", [first, second], Kind(graph.sizes(first), scale=_GATE))

    def _product(self, graph: Graph, first: int, second: int) -> int:
        return graph.operator("MUL", [first, second], self._step(self.item.units, _UNIT))

    def _unit(self, graph: Graph, name: str, value: int) -> int:
        return graph.operator(name, [value], self._step(self.item.units, _UNIT))

    def _rows(self, width: int, scale: float) -> Kind:
        return Kind([self.batch, self.steps, width], scale=scale)

    def _times(self, width: int, scale: float) -> Kind:
        return Kind([self.steps, self.batch, width], scale=scale)

    def _step(self, width: int, scale: float) -> Kind:
        return Kind([self.batch, width], scale=scale)

    def _row(self, width: int, scale: float = _UNIT) -> Kind:
        return Kind([1, self.batch, width], scale=scale)


_STEPS: dict[str, Callable[[_Loop, Graph, int, Sequence[int]], list[int]]] = {
    "lstm": _Loop.lstm,
    "gru": _Loop.gru,
    "simple_rnn": _Loop.simple_rnn,
}


def _product(graph: Graph, x: int, scale: float, kernel: np.ndarray, bias: np.ndarray, kind: Kind) -> int:
    """x W + b, with a scale for each column of W."""
    scales = np.maximum(np.abs(kernel).max(0) / 127, 1e-9)
    weight = graph.constant(np.rint(kernel / scales).T.astype("int8"), scales)
    total = graph.constant(np.rint(bias / (scale * scales)).astype("int64"), scale * scales)
    return graph.operator("FULLY_CONNECTED", [x, weight, total], kind)


def _scale(largest: float) -> float:
    return max(largest, 1e-3) / _FULL
