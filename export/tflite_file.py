"""A converted TFLite file taken apart and put together again: metadata in, the converter's liberties out."""

import copy
from collections import Counter
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.tflite_graph import Graph

_BUILTIN = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_LSTM = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
_HIDDEN_STATE, _CELL_STATE = 18, 19  # among the operator's inputs
_HIDDEN_INTERMEDIATE = 4
_QUANTIZE = schema.BuiltinOperator.QUANTIZE
_COPIES = {
    getattr(schema.BuiltinOperator, name)
    for name in "REVERSE_V2 REVERSE_SEQUENCE GATHER STRIDED_SLICE SLICE RESHAPE TRANSPOSE".split()
}
_SMALLEST_CELL_SCALE = 2.0**-15


def finish(content: bytes, metadata: dict[str, str]) -> bytes:
    """The same model with `metadata` in buffers of their names; the same bytes for the same arguments."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for graph in model.subgraphs:
        _own_states(model, graph)
        _repair(model, graph)
    for name, text in metadata.items():
        _embed(model, name, text)
    model.buffers = [_aligned(buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operators(content: bytes) -> dict[str, int]:
    """How often each operator occurs in all subgraphs (those of a `WHILE` are counted once), by name."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    codes = Counter(operator.opcodeIndex for graph in model.subgraphs for operator in graph.operators)
    return dict(sorted((_name(model.operatorCodes[index]), count) for index, count in codes.items()))


def positions(content: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the inputs and of the outputs, in the order of the graph, which TensorFlow Lite Micro goes by."""
    return Graph.read(content).signature()


def builtin_code(model: Any, operator: Any) -> int:
    """The built-in operator. `deprecatedBuiltinCode` is what held the code, up to 127, in files of the first schema."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _name(code: Any) -> str:
    return code.customCode.decode() if code.customCode else _BUILTIN[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _own_states(model: Any, graph: Any) -> None:
    """Two states of an LSTM, and tensors that no one else reads: the converter merges all zeros of one shape into one
    tensor, so that the LSTM would write its state into the initial state of a loop after it."""
    for operator in graph.operators:
        if builtin_code(model, operator) == _LSTM:
            operator.inputs = list(operator.inputs)
            for place in (_HIDDEN_STATE, _CELL_STATE):
                own = copy.copy(graph.tensors[operator.inputs[place]])
                own.isVariable, own.buffer = True, 0
                operator.inputs[place] = len(graph.tensors)
                graph.tensors.append(own)


def _repair(model: Any, graph: Any) -> None:
    """What the converter gets wrong about recurrent models, put right.

    Float: it clips the cell state to ±10, which Keras does not. Int8: where calibration saw a cell state within ±0.5
    it picks a scale below 2^-15, for which LiteRT's kernel has no tanh and leaves garbage. And where a later operator
    wants one scale for all its inputs, as a concatenation does, it changes the scale of an output whose operator
    copies its numbers as they are; a `QUANTIZE` in between is what was meant.
    """
    repaired = []
    for operator in graph.operators:
        repaired.append(operator)
        written = _written_as(model, graph, operator)
        if written is not None and not _same(written, graph.tensors[operator.outputs[0]].quantization):
            repaired.append(_requantised(model, graph, operator, written))
    graph.operators = repaired


def _written_as(model: Any, graph: Any, operator: Any) -> Any:
    """The quantisation in which the kernel really writes its first output; None where the file says it right."""
    code = builtin_code(model, operator)
    if code == _LSTM:
        operator.builtinOptions.cellClip = 0.0
    elif code not in _COPIES:
        return None
    if graph.tensors[operator.outputs[0]].type != schema.TensorType.INT8:
        return None
    if code in _COPIES:
        return graph.tensors[operator.inputs[0]].quantization
    cell = graph.tensors[operator.inputs[_CELL_STATE]].quantization
    cell.scale = np.maximum(cell.scale, np.float32(_SMALLEST_CELL_SCALE))
    hidden = graph.tensors[operator.intermediates[_HIDDEN_INTERMEDIATE]].quantization
    graph.tensors[operator.inputs[_HIDDEN_STATE]].quantization = hidden
    return hidden


def _same(first: Any, second: Any) -> bool:
    return bool(first.scale[0] == second.scale[0] and first.zeroPoint[0] == second.zeroPoint[0])


def _requantised(model: Any, graph: Any, operator: Any, written: Any) -> Any:
    """A `QUANTIZE` from a new tensor, which `operator` now writes, to the one it wrote before."""
    output = operator.outputs[0]
    raw = copy.copy(graph.tensors[output])
    raw.name, raw.quantization, raw.buffer = raw.name + b"_as_written", written, 0
    quantize = schema.OperatorT()
    quantize.opcodeIndex = _quantize_code(model)
    quantize.inputs, quantize.outputs = [len(graph.tensors)], [output]
    operator.outputs = [len(graph.tensors), *operator.outputs[1:]]
    graph.tensors.append(raw)
    return quantize


def _quantize_code(model: Any) -> int:
    """Which of the model's operator codes is `QUANTIZE`; a model of integer inputs may have none yet."""
    known = [code.builtinCode for code in model.operatorCodes]
    if _QUANTIZE not in known:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = _QUANTIZE
        code.version = 1
        model.operatorCodes = [*model.operatorCodes, code]
    return [*known, _QUANTIZE].index(_QUANTIZE)


def _embed(model: Any, name: str, text: str) -> None:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text.encode(), "uint8")
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    model.metadata = [*(model.metadata or ()), entry]


class _AlignedBuffer(schema.BufferT):
    """Data on a 16-byte boundary, as the schema demands and its generated Python class forgets."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802  the generated base class calls it so
        data = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), 16)
            builder.head -= len(self.data)
            builder.Bytes[builder.Head() : builder.Head() + len(self.data)] = np.asarray(self.data, "uint8").tobytes()
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def _aligned(buffer: Any) -> _AlignedBuffer:
    aligned = _AlignedBuffer()
    aligned.data = buffer.data
    return aligned
