"""Smaller ONNX files: the weights of a finished model in int8 or float16, with what ONNX Runtime can compute in them.

float16: every large float32 constant is stored in half precision; one that holds int8 numbers times a power of two for
each channel, as weights do that were rounded so, is stored as those, without loss.
dynamic: `LSTM` becomes `DynamicQuantizeLSTM`, a large `GRU` a `Scan` of integer steps (`onnx_integer_gru.py`) and a
product with a constant `MatMulInteger`; all measure the range of their activations at each call. All other large
weights are stored in int8, with a scale for each channel.
int8: the same file; ONNX Runtime has no LSTM for activations of a fixed range, so there is nothing to calibrate.

What is stored small without arithmetic of its own, a small `GRU` first of all, is turned back by a `Cast` (and a `Mul`
by the scales) that ONNX Runtime computes once, as it loads the file: from then on it is the float model, and as fast. A
`DequantizeLinear` it would compute anew at every call.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.onnx_graph import nested, reads, walk
from export.onnx_integer_gru import MICROSOFT, UNITS, integer_gru, is_eligible

SMALLEST = 1024  # elements; below this the operators around a small constant take more bytes than it saves
_LARGEST_FLOAT16 = 65504.0
_LEAST = 128 * float(np.finfo("float32").tiny)
_RECURRENT = ("GRU", "RNN", "LSTM", "DynamicQuantizeLSTM")
_CHANNELS = dict.fromkeys(_RECURRENT, (0, -2)) | {"Conv": (0,), "ConvTranspose": (1,)}  # else the last axis
_INT8_NOTE = (
    "ONNX Runtime has no LSTM for activations of a fixed range: the weights are int8, the range of the activations is "
    "measured at each call, as with quantize='dynamic'. Calibration data is not used."
)
_NOTHING_NOTE = f"No constant has {SMALLEST} elements or more, and there is no LSTM: nothing was made smaller."
Stored = tuple[list[NodeProto], list[TensorProto]]


def quantized(model: ModelProto, kind: str, *, integer_gru_from: int = UNITS) -> tuple[ModelProto, list[str]]:
    """A smaller copy of `model`, whose constants are initializers, and what the user should know about it.

    kind: "dynamic", "float16" or "int8"; in integers a GRU of `integer_gru_from` units or more computes in them.
    """
    small = ModelProto()
    small.CopyFrom(model)
    if kind == "float16":
        _store(small.graph, _float16)
    else:
        _integer_arithmetic(small, integer_gru_from)
        _store(small.graph, _int8)
    return small, _notes(model, small, kind)


def _notes(model: ModelProto, small: ModelProto, kind: str) -> list[str]:
    if len(small.graph.node) == len(model.graph.node) and small.opset_import == model.opset_import:
        return [_NOTHING_NOTE]
    stored = {tensor.name for tensor in small.graph.initializer}
    kept = [
        node.name
        for node in walk(small.graph)
        if node.op_type in ("GRU", "RNN") and stored & {f"{name}_int8" for name in node.input[1:3]}
    ]
    notes = [_INT8_NOTE] if kind == "int8" else []
    if kept and kind != "float16":
        notes.append(
            f"ONNX Runtime has no int8 GRU or SimpleRNN: the weights of {', '.join(map(repr, kept))} are int8 in the "
            "file and float32 once it is loaded, so the file is smaller and as fast as float32. A GRU with reset_after "
            f"computes in integers from {UNITS} units on; below, that was measured to be slower "
            "(zoo/benchmarks/results/quantized.csv)."
        )
    return notes


def _integer_arithmetic(model: ModelProto, integer_gru_from: int) -> None:
    """Every `LSTM`, large `GRU` and large product with a constant of the outermost graph, in place."""
    graph, rewriter = model.graph, _Rewriter(model.graph, integer_gru_from)
    _replace(graph.node, [new for node in graph.node for new in rewriter.rewritten(node)])
    used = {name for node in graph.node for name in reads(node)}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    _replace(graph.initializer, [*kept, *rewriter.added.values()])
    if any(node.domain == MICROSOFT for node in walk(graph)):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))


class _Rewriter:
    """Float nodes into integer ones. Constants that several nodes read are quantised once: `added`, by name."""

    def __init__(self, graph: GraphProto, integer_gru_from: int) -> None:
        self.integer_gru_from = integer_gru_from
        floats = [tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT]
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in floats}
        self.added: dict[str, TensorProto] = {}

    def rewritten(self, node: NodeProto) -> list[NodeProto]:
        if node.op_type == "LSTM" and {node.input[1], node.input[2]} <= self.constants.keys():
            return [self._lstm(node)]
        if node.op_type == "GRU" and {*node.input[1:4]} - {""} <= self.constants.keys():
            return self._gru(node)
        weight = self.constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is not None and weight.ndim == 2 and weight.size >= SMALLEST:
            return self._product(node, weight)
        return [node]

    def _lstm(self, node: NodeProto) -> NodeProto:
        """W [directions, 4 H, D] and R [directions, 4 H, H] are taken transposed, with one scale for each direction: a
        scale for each row would cost a tenth of the speed.

        Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
        """
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        for place in (1, 2):
            name, weight = inputs[place], self.constants[inputs[place]].transpose(0, 2, 1)
            values, scales = _in_integers(weight, (0,), _factor_scales(weight, (0,)))
            inputs[place] = self._add(f"{name}_int8", values)
            inputs.append(self._add(f"{name}_scale", scales.ravel()))
            inputs.append(self._add(f"{node.name}_zero_point", np.zeros(scales.size, "int8")))
        new = helper.make_node("DynamicQuantizeLSTM", inputs, node.output, node.name, domain=MICROSOFT)
        new.attribute.extend(node.attribute)
        return new

    def _gru(self, node: NodeProto) -> list[NodeProto]:
        kernel, recurrent = (self.constants[name] for name in node.input[1:3])
        units = recurrent.shape[-1]
        if units < self.integer_gru_from or not is_eligible(node):
            return [node]
        bias = self.constants.get("".join(node.input[3:4]), np.zeros((len(kernel), 6 * units), "float32"))
        return integer_gru(node, (kernel, recurrent, bias), self._factor, self._add)

    def _product(self, node: NodeProto, weight: np.ndarray) -> list[NodeProto]:
        """x W as ((x_int8 - x_zero_point) W_int8) (x_scale W_scale)."""
        stored, scale = self._factor(node.input[1], weight)
        x, x_scale, x_zero, total, real, both = (
            f"{node.name}_{what}" for what in ("x", "x_scale", "x_zero_point", "integers", "cast", "scale")
        )
        return [
            helper.make_node("DynamicQuantizeLinear", [node.input[0]], [x, x_scale, x_zero], x),
            helper.make_node("MatMulInteger", [x, stored, x_zero], [total], node.name),
            helper.make_node("Cast", [total], [real], real, to=TensorProto.FLOAT),
            helper.make_node("Mul", [x_scale, scale], [both], both),
            helper.make_node("Mul", [real, both], node.output, f"{node.name}_scaled"),
        ]

    def _factor(self, name: str, weight: np.ndarray) -> tuple[str, str]:
        """The matrix [K, N] in int8, and its scales, one for each column."""
        values, scales = _in_integers(weight, (1,), _factor_scales(weight, (1,)))
        return self._add(f"{name}_int8", values), self._add(f"{name}_scale", scales.ravel())

    def _add(self, name: str, value: np.ndarray) -> str:
        self.added[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name


def _in_integers(
    value: np.ndarray, channels: tuple[int, ...], scales: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """int8 values, and their scales, one for each entry of the axes `channels` (the others are of size 1)."""
    scales = _largest(np.abs(value), channels) / 127 if scales is None else scales
    scales = np.where(scales > 0, scales, 1.0).astype("float32")
    return np.clip(np.rint(value / scales), -127, 127).astype("int8"), scales


def powers_of_two(value: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """The least power of two for each entry of the axes `channels` that, times 127, reaches its values; 1 where these
    are too small for a normal float32.

    >>> powers_of_two(np.array([[1.0, 254.0], [-127.0, 255.0]]), (-1,)).tolist()
    [[1.0, 4.0]]
    """
    largest = _largest(np.abs(value), channels)
    scales: np.ndarray = np.exp2(np.ceil(np.log2(np.where(largest > _LEAST, largest, 127.0) / 127)))
    return scales.astype("float32")


def _factor_scales(weight: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Scales for a factor [..., K, N] of an integer product.

    Processors without VNNI add the products with two neighbours along K in int16 (VPMADDUBSW), which saturates in
    silence: the activations are at most 255, so two neighbours may add up to ±128 and no further.
    """
    sums = [np.maximum(sign * weight, 0.0) for sign in (1, -1)]
    sums = [side[..., 1:, :] + side[..., :-1, :] for side in sums if side.shape[-2] > 1]
    reach = [_largest(side, channels) for side in (*sums, np.abs(weight))]
    scales: np.ndarray = np.max(reach, axis=0) / 127
    return scales


def _largest(value: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    kept = {axis % value.ndim for axis in channels}
    largest: np.ndarray = value.max(axis=tuple(axis for axis in range(value.ndim) if axis not in kept), keepdims=True)
    return largest


def _store(graph: GraphProto, form: Callable[[TensorProto, str], Stored]) -> None:
    """Every large float32 constant of `graph` and of the graphs inside it in a smaller form, and before all other nodes
    those that make it float32 again under its old name. A matrix that is another one transposed, as where an embedding
    is the output layer, too, is not stored again."""
    made: list[NodeProto] = []
    matrices: dict[tuple[tuple[int, ...], bytes], str] = {}
    kept: list[TensorProto] = []
    readers = {name: node.op_type for node in walk(graph) for name in node.input}
    for tensor in graph.initializer:
        large = tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= SMALLEST
        if large and len(tensor.dims) == 2:
            value = numpy_helper.to_array(tensor)
            twin = matrices.get((value.T.shape, value.T.tobytes()))
            if twin:
                made.append(
                    helper.make_node("Transpose", [twin], [tensor.name], f"{tensor.name}_transposed", perm=[1, 0])
                )
                continue
            matrices[value.shape, value.tobytes()] = tensor.name
        nodes, constants = form(tensor, readers.get(tensor.name, "")) if large else ([], [tensor])
        made, kept = made + nodes, kept + constants
    for inner in (inner for node in graph.node for inner in nested(node)):
        _store(inner, form)
    _replace(graph.initializer, kept)
    _replace(graph.node, [*made, *graph.node])


def _float16(tensor: TensorProto, reader: str) -> Stored:
    value = numpy_helper.to_array(tensor)
    if np.abs(value).max() > _LARGEST_FLOAT16:
        return [], [tensor]
    # An embedding that is the output, too, may stand here transposed.
    ways = () if _is_bias(value, reader) else (_CHANNELS.get(reader, (-1,)), (0,))
    for channels in ways:
        scales = powers_of_two(value, channels)
        if (np.rint(value / scales) * scales == value).all():
            return _integers(tensor.name, *_in_integers(value, channels, scales))
    stored = numpy_helper.from_array(value.astype("float16"), f"{tensor.name}_float16")
    return [_cast(stored, tensor.name)], [stored]


def _int8(tensor: TensorProto, reader: str) -> Stored:
    value = numpy_helper.to_array(tensor)
    if _is_bias(value, reader):
        return [], [tensor]
    return _integers(tensor.name, *_in_integers(value, _CHANNELS.get(reader, (-1,))))


def _is_bias(value: np.ndarray, reader: str) -> bool:
    return sum(size > 1 for size in value.shape) < 2 or (reader in _RECURRENT and value.ndim < 3)


def _integers(name: str, values: np.ndarray, scales: np.ndarray) -> Stored:
    stored = numpy_helper.from_array(values, f"{name}_int8")
    scale = numpy_helper.from_array(scales, f"{name}_scale")
    real = f"{name}_cast"
    product = helper.make_node("Mul", [real, scale.name], [name], scale.name)
    return [_cast(stored, real), product], [stored, scale]


def _cast(stored: TensorProto, output: str) -> NodeProto:
    return helper.make_node("Cast", [stored.name], [output], stored.name, to=TensorProto.FLOAT)


def _replace(field: Any, items: list[Any]) -> None:
    """`items` may be those of the field itself."""
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(copies)
