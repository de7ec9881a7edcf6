"""A Keras model as one ONNX file: traced with native recurrent operators, converted by tf2onnx, put in canonical form.

Operator set 17 with IR version 8 is old enough for every ONNX Runtime since 1.12 and has all such models need; files
with masks, LSTM, GRU, RNN and Loop ran on 1.28.0, 1.29.0, 1.30.0, 1.31.1 and 1.32.0 with the same answers.
Two exports of one model give the same bytes, in any process.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from export.artifact import Written
from export.lowering.onnx import MARKER, RULES, OnnxTarget
from export.lowering.source import Source
from export.lowering.trace import Tracer, lowered
from export.manifest import KEY, OPERATORS_KEY, RANGED
from export.onnx_graph import Graph, walk, written
from export.onnx_tidy import tidy
from export.quantize import quantized
from zoo.errors import ExportError, Unsupported
from zoo.spec import DTYPES, TensorSpec

OPSET = 17
IR_VERSION = 8
RECURRENT = ("DynamicQuantizeLSTM", "GRU", "LSTM", "RNN")
_CONVERTING = threading.Lock()  # tf2onnx and its logger are changed while it runs, so one at a time
_ELEMENTS = {name: onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in DTYPES}


def write(
    source: Source, path: Path, manifest: str, *, quantize: str | None = None, tracer: Tracer | None = None
) -> Written:
    """Writes `source` to `path` with `manifest` (JSON text) among its metadata. `tracer` must speak to an `OnnxTarget`;
    for `quantize` see `export.quantize`.

    Raises: Unsupported for an operator that ONNX does not have; ExportError for a file that is not valid ONNX.
    """
    tracer = tracer or Tracer(OnnxTarget())
    model, notes = convert(source, tracer), list(tracer.notes)
    if quantize is not None:
        model, more = quantized(model, quantize)
        notes += more
    embed(model, manifest)
    _check(source, model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return Written(operators(model), notes)


def convert(source: Source, tracer: Tracer) -> onnx.ModelProto:
    """The model in canonical form, its inputs and outputs named and typed by the signature of `source`."""
    assert isinstance(tracer.target, OnnxTarget), "an ONNX file needs an OnnxTarget"
    with lowered(source.model, tracer, (*RULES, *source.rules)):
        function = _function(source)
        function.get_concrete_function()
    proto = _converted(source, function, tracer.target)
    signature = source.signature
    graph = Graph(proto.graph)
    tidy(graph)
    nodes, constants = written(graph, _names(signature.inputs, "input"), _names(signature.outputs, "output"))
    outputs = [onnx.helper.make_tensor_value_info(spec.name, _ELEMENTS[spec.dtype], None) for spec in signature.outputs]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, source.model.name, _inputs(signature.inputs), outputs, constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="recurrent-zoo",
        doc_string=f"Keras model {source.model.name!r}.",
    )
    return _with_output_shapes(model, signature.outputs)


def embed(model: onnx.ModelProto, manifest: str) -> None:
    """The manifest, and which recurrent operators there are, and which measure a range over all rows: a session of ONNX
    Runtime does not tell."""
    found = ",".join(name for name in operators(model) if name in RECURRENT or name.startswith(RANGED))
    onnx.helper.set_model_props(model, {KEY: manifest, OPERATORS_KEY: found})


def operators(model: onnx.ModelProto) -> dict[str, int]:
    """How often each operator occurs, those inside loops included, by name."""
    return dict(sorted(Counter(node.op_type for node in walk(model.graph)).items()))


def _function(source: Source) -> Any:
    """`source` as a tf.function of input_0, input_1, … that returns {output_0: …} in the dtypes of the signature."""
    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=f"input_{index}")
        for index, spec in enumerate(source.signature.inputs)
    ]

    def run(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = zip(source(tensors), source.signature.outputs, strict=True)
        return {f"output_{index}": tf.cast(value, spec.dtype) for index, (value, spec) in enumerate(outputs)}

    return tf.function(run, input_signature=specs, autograph=False)


def _converted(source: Source, function: Any, target: OnnxTarget) -> onnx.ModelProto:
    with _CONVERTING, _quiet(), _without_guesses():
        proto = _translated(*_frozen(function.get_concrete_function()), target)
    unknown = sorted({node.op_type for node in walk(proto.graph) if not onnx.defs.has(node.op_type, node.domain)})
    if MARKER in unknown:
        raise ExportError(
            f"Model {source.model.name!r} has a recurrent layer that did not become an ONNX node. "
            "This is a fault of the exporter: report it."
        )
    if unknown:
        raise Unsupported(
            f"Model {source.model.name!r} uses TensorFlow operators that ONNX does not have: {', '.join(unknown)}. "
            "Replace the layer that makes them, or compute them outside the model."
        )
    return proto


def _translated(graph_def: Any, renamed: dict[str, str], target: OnnxTarget) -> onnx.ModelProto:
    """What `tf2onnx.convert.from_graph_def` does, with its optimizers at work on one graph. It would copy the graph for
    each of them in each round, a quarter of all its time, so as to do without one that raises."""
    from tf2onnx import optimizer, tf_loader, tfonnx

    inputs, outputs = ([name for name in renamed if renamed[name].startswith(side)] for side in ("input", "output"))
    with tf.Graph().as_default():
        graph_def = tf_loader.tf_optimize(inputs, outputs, graph_def)

    def optimized(catch_errors: bool) -> Any:
        with tf.Graph().as_default() as loaded:
            tf.import_graph_def(graph_def, name="")
            found = tfonnx.process_tf_graph(
                loaded,
                continue_on_error=True,
                opset=OPSET,
                custom_op_handlers=target.handlers(),
                input_names=inputs,
                output_names=outputs,
                tensors_to_rename=renamed,
            )
            return optimizer.optimize_graph(found, catch_errors)

    try:
        found = optimized(catch_errors=False)
    except Exception:  # whatever it is, tf2onnx goes on without that optimizer
        found = optimized(catch_errors=True)
    return found.make_model("traced by the exporter")


def _frozen(concrete: Any) -> tuple[Any, dict[str, str]]:
    """The graph with its variables as constants, and {tensor name: input_0, …, output_0, …}. (`tf2onnx.from_function`
    would make an input of every eager tensor the function closes over, such as the mean of a `Normalization`.)"""
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=True)
    inputs = {tensor.name: tensor.name.removesuffix(":0") for tensor in frozen.inputs}
    outputs = {
        tensor.name: name for tensor, name in zip(frozen.outputs, sorted(concrete.structured_outputs), strict=True)
    }
    return frozen.graph.as_graph_def(add_shapes=True), inputs | outputs


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx logs every step and every failed guess; what matters is checked on the result."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_GUESSES = (
    "rewriter_lstm_tf2",
    "rewrite_gru_tf2",
    "rewrite_single_direction_lstm",
    "rewrite_bi_direction_lstm",
    "rewrite_single_direction_gru",
    "rewrite_bi_direction_gru",
    "rewrite_custom_rnn_cell",
)


@contextlib.contextmanager
def _without_guesses() -> Iterator[None]:
    """tf2onnx takes loops for LSTMs by their looks and is wrong about some (bias-free ones); ours are marked."""
    import tf2onnx.tfonnx as tfonnx

    originals = {name: getattr(tfonnx, name) for name in _GUESSES}
    vars(tfonnx).update(dict.fromkeys(_GUESSES, lambda graph, operations: operations))
    try:
        yield
    finally:
        vars(tfonnx).update(originals)


def _names(specs: Sequence[TensorSpec], kind: str) -> dict[str, str]:
    return {f"{kind}_{index}": spec.name for index, spec in enumerate(specs)}


def _inputs(specs: Sequence[TensorSpec]) -> list[onnx.ValueInfoProto]:
    """Free axes by name. Only the batch is one size for all inputs: times may differ."""
    shared = Counter(axis for spec in specs for axis in spec.axes)
    values = []
    for spec in specs:
        sizes = [
            size if size is not None else axis if axis == "batch" or shared[axis] == 1 else f"{spec.name}_{axis}"
            for size, axis in zip(spec.shape, spec.axes, strict=True)
        ]
        values.append(onnx.helper.make_tensor_value_info(spec.name, _ELEMENTS[spec.dtype], sizes))
    return values


def _with_output_shapes(model: onnx.ModelProto, specs: Sequence[TensorSpec]) -> onnx.ModelProto:
    """Sizes from the signature, names of free axes from shape inference: ONNX Runtime takes equal names as equal."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
    known = {dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim}
    for value, spec, found in zip(model.graph.output, specs, inferred, strict=True):
        names = [dim.dim_param for dim in found.type.tensor_type.shape.dim] or [""] * len(spec.shape)
        sizes = [
            size if size is not None else name if name in known - {""} else f"{spec.name}_{axis}"
            for size, name, axis in zip(spec.shape, names, spec.axes, strict=True)
        ]
        value.CopyFrom(onnx.helper.make_tensor_value_info(spec.name, value.type.tensor_type.elem_type, sizes))
    return model


def _check(source: Source, model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(
            f"Model {source.model.name!r} became an invalid ONNX file: {str(error).splitlines()[0]} "
            "This is a fault of the exporter: report it."
        ) from error
