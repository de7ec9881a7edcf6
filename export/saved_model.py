"""A Keras model as a SavedModel that needs neither Keras nor this package to run."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from export.artifact import Written
from export.lowering.plain import PlainTarget
from export.lowering.rules import time_distributed
from export.lowering.source import Source
from export.lowering.streaming import StreamingSource
from export.lowering.trace import Rule, Tracer, flat_layers, lowered
from export.manifest import SAVED_MODEL_FILE
from export.quiet import quiet
from zoo.errors import Unsupported

ConcreteFunction: TypeAlias = Any  # tf.types.experimental.ConcreteFunction, which TensorFlow does not type
SIGNATURE, STEP = "serving_default", "step"
_BOOKKEEPING = set("Const Identity NoOp Placeholder ReadVariableOp PartitionedCall StatefulPartitionedCall".split())
_KERAS_SEMANTICS: Sequence[tuple[type, Rule]] = (  # but for what Keras gets wrong where the number of steps is free
    (keras.layers.TimeDistributed, time_distributed),
)


def write(source: Source, path: Path, manifest: str) -> Written:
    """Writes `source` to the new folder `path`, with `manifest` (JSON text) in its `assets.extra`.

    `serving_default` is the model as Keras computes it, in float32, whatever its masks. A streaming source adds `step`,
    a function of one chunk and the states; `serving_default` is then the model it was made from.
    Raises: Unsupported for a model that reads a resource other than its variables.
    """
    tracer = Tracer(PlainTarget())
    whole = source.whole if isinstance(source, StreamingSource) else source
    with _portable(source.model, tracer), lowered(source.model, tracer, _KERAS_SEMANTICS):
        functions = {SIGNATURE: traced(whole, [_spec(item) for item in whole.signature.inputs])}
    if whole is not source:
        with lowered(source.model, tracer, source.rules):
            functions[STEP] = traced(source, [_spec(item) for item in source.signature.inputs])
    save(functions, path, source.model.name)
    (path / SAVED_MODEL_FILE).parent.mkdir()
    (path / SAVED_MODEL_FILE).write_text(manifest, "utf-8")
    return Written(_operators(functions[STEP if STEP in functions else SIGNATURE]), list(tracer.notes))


def traced(source: Source, specs: Sequence[tf.TensorSpec]) -> ConcreteFunction:
    """The source as a function of tensors of these specs, to a dictionary by the names of its signature."""

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = zip(source.signature.outputs, source(tensors), strict=True)
        return {spec.name: tf.cast(output, spec.dtype) for spec, output in outputs}

    return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()


def save(functions: Mapping[str, ConcreteFunction], folder: Path, name: str) -> None:
    """One SavedModel of model `name` with these signatures, and nothing in it of the place where it was made."""
    module = tf.Module()
    module.variables_read = [variable for function in functions.values() for variable in function.graph.variables]
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False, experimental_debug_stripper=True)
    try:
        with quiet():
            tf.saved_model.save(module, str(folder), signatures=dict(functions), options=options)
    except AssertionError as error:  # TensorFlow's word for a resource that nothing tracks
        raise Unsupported(
            f"Model {name!r} reads a table or another resource that is not a variable, which a file cannot hold. "
            "Move that step out of the model, before its inputs."
        ) from error


def _spec(spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)


@contextlib.contextmanager
def _portable(model: keras.Model, tracer: Tracer) -> Iterator[None]:
    """No layer picks cuDNN, which a machine without a GPU lacks, or carries states over from the call before."""
    with contextlib.ExitStack() as undo:
        for layer in flat_layers(model):
            if getattr(layer, "stateful", False) and isinstance(layer, keras.layers.RNN):
                tracer.note_stateful(layer)
                undo.enter_context(_set(layer, "stateful", False))
            if hasattr(layer, "use_cudnn"):
                undo.enter_context(_set(layer, "use_cudnn", False))
            if hasattr(layer, "execution_path"):  # nor compiles, which a runtime without XLA cannot
                undo.enter_context(_set(layer, "execution_path", "cell"))
        yield


@contextlib.contextmanager
def _set(layer: keras.layers.Layer, name: str, value: bool | str) -> Iterator[None]:
    before = getattr(layer, name)
    setattr(layer, name, value)
    try:
        yield
    finally:
        setattr(layer, name, before)


def _operators(function: ConcreteFunction) -> dict[str, int]:
    """How often each operator occurs, the bodies of loops included, without those that compute nothing."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for item in graph.library.function for node in item.node_def)]
    names = [node.op for node in nodes if node.op not in _BOOKKEEPING]
    return {name: names.count(name) for name in sorted(set(names))}
