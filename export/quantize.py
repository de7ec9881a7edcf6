"""Smaller ONNX files: the weights of a finished model in int8 or float16, with the arithmetic ONNX Runtime has for them.

float16: every large float32 constant is stored in half precision.
dynamic: `LSTM` becomes `DynamicQuantizeLSTM` and a product with a constant `MatMulInteger`; both measure the range of
their activations at each call. All other large weights are stored in int8.
int8: the same file; ONNX Runtime has no LSTM for activations of a fixed range, so there is nothing to calibrate.

What is stored small without arithmetic of its own, `GRU` first of all, is turned back by a `Cast` (and a `Mul` by the
scales) that ONNX Runtime computes once, as it loads the file: from then on it is the float model, and as fast. Of
`DequantizeLinear` it would not know at load time that it may; it would run at every call.

Why no GRU of integer steps: `zoo/benchmarks/quantized.py` measures a `Scan` whose body is one `DynamicQuantizeMatMul` and
the arithmetic of the gates, after the input projection of all steps in one product. The dozen operators of a step
cost more than the product saves: see `results/quantized.csv`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.onnx_graph import nested, reads, walk

KINDS = ("dynamic", "float16", "int8")
MICROSOFT = "com.microsoft"
SMALLEST = 1024  # elements; below this the operators around a small constant take more bytes than it saves
_LARGEST_FLOAT16 = 65504.0
_WEIGHT = 127
_FACTOR = 63  # of integer products: two of them, times an activation of up to 255, fit the int16 of older processors
_CHANNELS = {"GRU": -2, "RNN": -2, "LSTM": -2, "Conv": 0, "ConvTranspose": 1}  # else the last axis
_GRU_NOTE = (
    "ONNX Runtime has no int8 GRU: the weights of {names} are int8 in the file and float32 once it is loaded. "
    "The file is smaller and as fast as float32; integer steps in a Scan were 2 to 5 times slower up to 128 units."
)
_INT8_NOTE = (
    "ONNX Runtime has no LSTM for activations of a fixed range: the weights are int8, the range of the activations is "
    "measured at each call, as with quantize='dynamic'. Calibration data is not used."
)


def quantized(model: ModelProto, kind: str) -> tuple[ModelProto, list[str]]:
    """A smaller copy of `model`, whose constants are initializers, and what the user should know about it."""
    small = ModelProto()
    small.CopyFrom(model)
    if kind == "float16":
        _store(small.graph, _float16)
        return small, []
    _integer_arithmetic(small)
    _store(small.graph, _int8)
    return small, _notes(small, kind)


def _notes(model: ModelProto, kind: str) -> list[str]:
    notes = [_INT8_NOTE] if kind == "int8" else []
    names = [repr(node.name) for node in walk(model.graph) if node.op_type == "GRU"]
    return [*notes, _GRU_NOTE.format(names=", ".join(names))] if names else notes


def _integer_arithmetic(model: ModelProto) -> None:
    """Every `LSTM` and every large product with a constant of the outermost graph, in place."""
    graph, rewriter = model.graph, _Rewriter(model.graph)
    nodes = [new for node in graph.node for new in rewriter.rewritten(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(rewriter.added.values())
    _drop_unread(graph)
    if any(node.domain == MICROSOFT for node in graph.node):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))


class _Rewriter:
    """Float nodes into integer ones. Constants that several nodes read are quantised once: `added`, by name."""

    def __init__(self, graph: GraphProto) -> None:
        self.constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
        self.added: dict[str, TensorProto] = {}

    def rewritten(self, node: NodeProto) -> list[NodeProto]:
        if node.op_type == "LSTM" and {node.input[1], node.input[2]} <= self.constants.keys():
            return [self._lstm(node)]
        if node.op_type == "MatMul" and node.input[1] in self.constants:
            weight = numpy_helper.to_array(self.constants[node.input[1]])
            if weight.ndim == 2 and weight.size >= SMALLEST:
                return self._product(node, weight)
        return [node]

    def _lstm(self, node: NodeProto) -> NodeProto:
        """W [directions, 4 H, D] and R [directions, 4 H, H] are taken transposed, with a scale for each row.

        Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM
        """
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        for place in (1, 2):
            name = inputs[place]
            values, scales = _in_integers(numpy_helper.to_array(self.constants[name]), -2, _FACTOR)
            inputs[place] = self._add(f"{name}_int8", np.ascontiguousarray(values.transpose(0, 2, 1)))
            inputs.append(self._add(f"{name}_scale", scales[..., 0]))
            inputs.append(self._add(f"{node.name}_zero_point", np.zeros(scales.shape[:2], "int8")))
        new = helper.make_node("DynamicQuantizeLSTM", inputs, node.output, node.name, domain=MICROSOFT)
        new.attribute.extend(node.attribute)
        return new

    def _product(self, node: NodeProto, weight: np.ndarray) -> list[NodeProto]:
        """x W as ((x_int8 - x_zero_point) W_int8) (x_scale W_scale)."""
        values, scales = _in_integers(weight, -1, _FACTOR)
        stored, scale = self._add(f"{node.input[1]}_int8", values), self._add(f"{node.input[1]}_scale", scales[0])
        x = [f"{node.name}_{what}" for what in ("x", "x_scale", "x_zero_point")]
        total, real, both = (f"{node.name}_{what}" for what in ("integers", "cast", "scale"))
        return [
            helper.make_node("DynamicQuantizeLinear", [node.input[0]], x, x[0]),
            helper.make_node("MatMulInteger", [x[0], stored, x[2]], [total], node.name),
            helper.make_node("Cast", [total], [real], real, to=TensorProto.FLOAT),
            helper.make_node("Mul", [x[1], scale], [both], both),
            helper.make_node("Mul", [real, both], node.output, f"{node.name}_scaled"),
        ]

    def _add(self, name: str, value: np.ndarray) -> str:
        self.added[name] = numpy_helper.from_array(value, name)
        return name


def _in_integers(value: np.ndarray, channel: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 values of up to ±`largest`, and their scales: one for each entry of axis `channel` (and of the directions of
    a recurrent weight, its axis 0)."""
    kept = {channel % value.ndim} | ({0} if channel == -2 else set())
    others = tuple(axis for axis in range(value.ndim) if axis not in kept)
    reach = np.abs(value).max(axis=others, keepdims=True)
    scales = np.where(reach > 0, reach, 1.0).astype("float32") / np.float32(largest)
    return np.rint(value / scales).astype("int8"), scales


Stored = tuple[list[NodeProto], list[TensorProto]]


def _store(graph: GraphProto, form: Callable[[TensorProto, str], Stored]) -> None:
    """Every large float32 constant of `graph` and of the graphs inside it in a smaller form, and the nodes that make
    it float32 again, under its old name, before all others."""
    made: list[NodeProto] = []
    kept: list[TensorProto] = []
    readers = {name: node.op_type for node in walk(graph) for name in node.input}
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= SMALLEST:
            nodes, constants = form(tensor, readers.get(tensor.name, ""))
        else:
            nodes, constants = [], [tensor]
        made, kept = made + nodes, kept + constants
    nodes = [*made, *graph.node]
    for field, items in ((graph.initializer, kept), (graph.node, nodes)):
        copies = [type(item).FromString(item.SerializeToString()) for item in items]
        del field[:]
        field.extend(copies)
    for inner in (inner for node in graph.node for inner in nested(node)):
        _store(inner, form)


def _float16(tensor: TensorProto, reader: str) -> Stored:
    value = numpy_helper.to_array(tensor)
    if np.abs(value).max() > _LARGEST_FLOAT16:
        return [], [tensor]
    stored = numpy_helper.from_array(value.astype("float16"), f"{tensor.name}_float16")
    return [_cast(stored, tensor.name)], [stored]


def _int8(tensor: TensorProto, reader: str) -> Stored:
    value = numpy_helper.to_array(tensor)
    if value.ndim < 2:
        return [], [tensor]
    values, scales = _in_integers(value, _CHANNELS.get(reader, -1), _WEIGHT)
    stored = numpy_helper.from_array(values, f"{tensor.name}_int8")
    scale = numpy_helper.from_array(scales, f"{tensor.name}_scale")
    product = helper.make_node("Mul", [f"{stored.name}_cast", scale.name], [tensor.name], scale.name)
    return [_cast(stored, f"{stored.name}_cast"), product], [stored, scale]


def _cast(stored: TensorProto, output: str) -> NodeProto:
    return helper.make_node("Cast", [stored.name], [output], stored.name, to=TensorProto.FLOAT)


def _drop_unread(graph: GraphProto) -> None:
    used = {name for node in graph.node for name in reads(node)}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
