"""Building blocks of a TFLite file: tensors, operators and nested graphs, added to one that is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_CODES = {name: code for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_NAMES = {code: name for name, code in _CODES.items()}
_TYPES = {
    np.dtype("int8"): schema.TensorType.INT8,
    np.dtype("int16"): schema.TensorType.INT16,
    np.dtype("int32"): schema.TensorType.INT32,
    np.dtype("int64"): schema.TensorType.INT64,
}
# The version of each operator that first took int16 (tensorflow/lite/tools/versioning/op_version.cc).
_VERSIONS = {
    "ADD": 3, "DEQUANTIZE": 3, "FULLY_CONNECTED": 7, "GATHER": 4, "LOGISTIC": 3, "MUL": 4, "QUANTIZE": 2, "SPLIT": 4,
    "SUB": 3, "TANH": 3, "TRANSPOSE": 4,
}  # fmt: skip
_WITHOUT_OPTIONS = ("LOGISTIC", "TANH")


@dataclass(frozen=True)
class Kind:
    """What a tensor is: its sizes, None where one is free, and its scale, for int16 of zero point 0."""

    sizes: Sequence[int | None]
    type: int = schema.TensorType.INT16
    scale: float | None = None


class Graph:
    """One subgraph of a model."""

    def __init__(self, model: Any, index: int) -> None:
        self.model, self.index = model, index
        self._graph = model.subgraphs[index]
        self.tensors: list[Any] = self._graph.tensors

    @classmethod
    def read(cls, content: bytes) -> "Graph":
        """The first graph of a file."""
        return cls(schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)), 0)

    def packed(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @property
    def operators(self) -> list[Any]:
        return list(self._graph.operators or ())

    @operators.setter
    def operators(self, operators: list[Any]) -> None:
        self._graph.operators = operators

    @property
    def inputs(self) -> list[int]:
        return list(self._graph.inputs)

    @inputs.setter
    def inputs(self, inputs: list[int]) -> None:
        self._graph.inputs = inputs

    @property
    def outputs(self) -> list[int]:
        return list(self._graph.outputs)

    @outputs.setter
    def outputs(self, outputs: list[int]) -> None:
        self._graph.outputs = outputs

    def signature(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the inputs and of the outputs in the order of the graph."""
        (signed,) = self.model.signatureDefs
        return _places(signed.inputs, self.inputs), _places(signed.outputs, self.outputs)

    def sign(self, names: tuple[tuple[str, ...], tuple[str, ...]], key: str) -> None:
        """Its only signature: these names for the inputs and outputs, in the order of the graph."""
        signed = schema.SignatureDefT()
        signed.signatureKey, signed.subgraphIndex = key, self.index
        signed.inputs = [_named(*pair) for pair in zip(names[0], self.inputs, strict=True)]
        signed.outputs = [_named(*pair) for pair in zip(names[1], self.outputs, strict=True)]
        self.model.signatureDefs = [signed]

    def sort(self) -> None:
        """The operators in an order in which each finds its inputs written."""
        waiting, sorted_ = self.operators, []
        unwritten = {index for operator in waiting for index in operator.outputs}
        while waiting:
            ready = [operator for operator in waiting if not unwritten & set(operator.inputs)]
            unwritten -= {index for operator in ready for index in operator.outputs}
            waiting = [operator for operator in waiting if operator not in ready]
            sorted_ += ready
        self.operators = sorted_

    def prune(self) -> None:
        """Takes out the operators whose answers nobody reads."""
        needed, kept = set(self.outputs), []
        for operator in reversed(self.operators):
            if needed & set(operator.outputs):
                needed |= set(operator.inputs)
                kept.append(operator)
        self.operators = kept[::-1]

    def name(self, operator: Any) -> str:
        code = self.model.operatorCodes[operator.opcodeIndex]
        return _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def custom_code(self, operator: Any) -> str:
        code = self.model.operatorCodes[operator.opcodeIndex].customCode
        return code.decode() if code else ""

    def maker(self, tensor: int) -> Any:
        """The operator that writes it; None for an input or a constant."""
        return next((operator for operator in self.operators if tensor in operator.outputs), None)

    def sizes(self, tensor: int) -> list[int | None]:
        found = self.tensors[tensor]
        given = found.shape if found.shapeSignature is None or not len(found.shapeSignature) else found.shapeSignature
        return [None if size < 0 else int(size) for size in given]

    def kind(self, tensor: int) -> Kind:
        found = self.tensors[tensor].quantization
        scale = float(found.scale[0]) if found is not None and found.scale is not None else None
        return Kind(self.sizes(tensor), self.tensors[tensor].type, scale)

    def tensor(self, kind: Kind, data: np.ndarray | None = None, scales: Any = None) -> int:
        made = schema.TensorT()
        made.name = f"zoo_{self.index}_{len(self.tensors)}".encode()
        made.type, made.hasRank = kind.type, True
        made.shape = [1 if size is None else size for size in kind.sizes]
        if None in kind.sizes:
            made.shapeSignature = [-1 if size is None else size for size in kind.sizes]
        made.buffer = 0 if data is None else self._buffer(data)
        if scales is None and kind.scale is not None:
            scales = [kind.scale]
        if scales is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.asarray(scales, "float32")
            made.quantization.zeroPoint = np.zeros(len(scales), "int64")
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, value: np.ndarray, scales: Any) -> int:
        """`scales` is one number, or one for each index of the first axis."""
        return self.tensor(Kind(value.shape, _TYPES[value.dtype]), value, np.atleast_1d(scales))

    def integers(self, value: Any) -> int:
        data = np.array(value, "int32")
        return self.tensor(Kind(data.shape, schema.TensorType.INT32), data)

    def operator(self, name: str, inputs: Sequence[int], kind: Kind | None = None, *, into: int | None = None) -> int:
        """The tensor it writes: a new one of `kind`, or `into`."""
        output = self.tensor(kind) if kind is not None else into
        assert output is not None
        self._append(name, inputs, [output], _options(name, len(inputs)))
        return output

    def operators_of(self, name: str, inputs: Sequence[int], kinds: Sequence[Kind], options: Any) -> list[int]:
        outputs = [self.tensor(kind) for kind in kinds]
        self._append(name, inputs, outputs, options)
        return outputs

    def split(self, tensor: int, parts: int) -> list[int]:
        """Along the last axis of [B, n]."""
        kind, options = self.kind(tensor), schema.SplitOptionsT()
        options.numSplits = parts
        batch, width = kind.sizes
        assert width is not None
        kinds = [Kind([batch, width // parts], kind.type, kind.scale)] * parts
        return self.operators_of("SPLIT", [self.integers(1), tensor], kinds, options)

    def custom(self, name: str, x: int, into: int) -> None:
        """Custom operator `name` of one input and one output."""
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode, code.version = name.encode(), 1
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.model.operatorCodes), [x], [into]
        self.model.operatorCodes.append(code)
        self.operators = [*self.operators, made]

    def nested(self, kinds: Sequence[Kind]) -> "Graph":
        """A new graph with inputs of these kinds."""
        made = schema.SubGraphT()
        made.name, made.tensors, made.operators = f"zoo_{len(self.model.subgraphs)}".encode(), [], []
        made.inputs = made.outputs = []
        self.model.subgraphs.append(made)
        graph = Graph(self.model, len(self.model.subgraphs) - 1)
        made.inputs = [graph.tensor(kind) for kind in kinds]
        return graph

    def _append(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any) -> None:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self._code(name), list(inputs), list(outputs)
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators = [*self.operators, made]

    def _code(self, name: str) -> int:
        code, version = _CODES[name], _VERSIONS.get(name, 1)
        for index, known in enumerate(self.model.operatorCodes):
            if (max(known.builtinCode, known.deprecatedBuiltinCode), known.version) == (code, version):
                return index
        made = schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), version
        self.model.operatorCodes.append(made)
        return len(self.model.operatorCodes) - 1

    def _buffer(self, data: np.ndarray) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), "uint8")
        self.model.buffers.append(made)
        return len(self.model.buffers) - 1


def _places(named: Sequence[Any], indices: Sequence[int]) -> tuple[str, ...]:
    """A tensor that is several outputs has as many names."""
    names: dict[int, list[str]] = {}
    for item in named:
        names.setdefault(item.tensorIndex, []).append(item.name.decode())
    return tuple(names[index].pop(0) if len(names[index]) > 1 else names[index][0] for index in indices)


def _named(name: str, index: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def _options(name: str, inputs: int) -> Any:
    """The options of an operator that are not what the schema says by itself."""
    if name in _WITHOUT_OPTIONS:
        return None
    words = "".join(word.capitalize() for word in name.split("_"))
    made = getattr(schema, f"{words}OptionsT")()
    if name == "FULLY_CONNECTED":
        made.keepNumDims = True
    if name in ("ADD", "SUB"):
        made.potScaleInt16 = False
    if name == "SHAPE":
        made.outType = schema.TensorType.INT32
    if name == "PACK":
        made.valuesCount = inputs
    return made
