"""Full int8 of a TFLite model, but for what it does to its inputs before the first weights.

Scaling, compressing and joining features is there to bring fine and coarse inputs to one range. In int8 the fine ones
are gone before that has happened: of `lstm.har` 82 % of 400 validation windows were right where float32 has 95 %, for
six such operators that are a thousandth of its arithmetic. They stay in float32, as the inputs are, and `QUANTIZE`
comes after them: within 0.1 points of float32 on the test split (`zoo/benchmarks/results/quantized_scores.csv`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.tflite_file import builtin_code
from export.tflite_graph import Graph

_WEIGHTED = {
    getattr(schema.BuiltinOperator, name)
    for name in "FULLY_CONNECTED CONV_2D CONV_3D DEPTHWISE_CONV_2D TRANSPOSE_CONV BATCH_MATMUL GATHER EMBEDDING_LOOKUP "
    "UNIDIRECTIONAL_SEQUENCE_LSTM WHILE".split()
}


def convert(converter: Any) -> bytes:
    """The model of a TFLite converter that is set up for int8 with its calibration data."""
    from tensorflow.lite.python.convert import mlir_quantize

    converter._experimental_calibrate_only = True  # as `tf.lite.experimental.QuantizationDebugger` does
    calibrated = converter.convert()
    return bytes(mlir_quantize(calibrated, denylisted_nodes=preparation(calibrated)))


def quantized(content: bytes, feeds: Sequence[list[np.ndarray]], quantize: str) -> bytes:
    """A float file in "int8" or "int16x8"; `feeds` are examples in the order of its inputs."""
    if not Graph.read(content).operators:
        return content
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize import calibrator
    from tensorflow.lite.toco import types_pb2

    calibrated = calibrator.Calibrator(calibrator.add_intermediate_tensors(content)).calibrate(lambda: iter(feeds))
    floats = preparation(calibrated)
    if quantize == "int8":
        return bytes(mlir_quantize(calibrated, denylisted_nodes=floats))
    kind = types_pb2.QUANTIZED_INT16
    return _without_zero_points(mlir_quantize(_symmetric(calibrated), denylisted_nodes=floats, inference_type=kind))


def _symmetric(content: bytes) -> bytes:
    """Ranges as kernels of int16 want them. The converter has an older quantiser for these types, which cannot tell
    the whole numbers that masks are made of from those it has to quantise."""
    graph = Graph.read(content)
    for found in (tensor.quantization for tensor in graph.tensors):
        if found is not None and found.min is not None and len(found.min):
            largest = max(abs(float(found.min[0])), abs(float(found.max[0])), 1e-6)
            found.min, found.max = np.array([-largest * 32768 / 32767], "float32"), np.array([largest], "float32")
    return graph.packed()


def _without_zero_points(content: bytes) -> bytes:
    """The zero points of symmetric ranges, where rounding made one of them -1."""
    graph = Graph.read(content)
    for tensor in graph.tensors:
        if tensor.type == schema.TensorType.INT16 and tensor.quantization is not None:
            tensor.quantization.zeroPoint = np.zeros_like(tensor.quantization.zeroPoint)
    return graph.packed()


def preparation(content: bytes) -> list[str]:
    """The outputs of the operators that depend on the inputs and constants alone, up to the first that has weights."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    known = set(graph.inputs) | {index for index, tensor in enumerate(graph.tensors) if _constant(model, tensor)}
    names = []
    for operator in graph.operators or ():
        read = {index for index in operator.inputs if index >= 0}
        if read <= known and builtin_code(model, operator) not in _WEIGHTED:
            known |= set(operator.outputs)
            names += [graph.tensors[index].name.decode() for index in operator.outputs]
    return names


def _constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
