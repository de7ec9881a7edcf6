"""A Keras model as one TFLite file of built-in operators."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.artifact import Written
from export.lowering import rules, trace
from export.lowering.source import Source
from export.lowering.tflite import TFLiteTarget
from zoo.spec import TensorSpec


def write(
    source: Source,
    path: Path,
    manifest_json: str,
    *,
    quantize: str | None = None,
    calibration: Any = None,
    batch: int = 1,
    time: int | None = None,
) -> Written:
    tracer = trace.Tracer(TFLiteTarget())
    with tempfile.TemporaryDirectory() as folder:
        _save(source, tracer, folder, batch, time)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        data = converter.convert()
    path.write_bytes(data)
    return Written(operators(data), tracer.notes)


def _save(source, tracer, folder, batch, time):
    module = tf.Module()
    module.weights = [v.value for v in source.model.variables]
    specs = [tf.TensorSpec(_fixed(s, batch, time), s.dtype, name=s.name) for s in source.signature.inputs]

    def serve(*tensors):
        outputs = source(tensors)
        return {s.name: tf.cast(o, s.dtype) for s, o in zip(source.signature.outputs, outputs)}

    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    with trace.lowered(source.model, tracer, rules.RULES):
        concrete = module.serve.get_concrete_function()
    tf.saved_model.save(module, folder, signatures={"serving_default": concrete})


def _fixed(spec: TensorSpec, batch, time):
    sizes = {"batch": batch, "time": time}
    return [sizes.get(axis) if size is None else size for size, axis in zip(spec.shape, spec.axes)]


def operators(data: bytes) -> dict[str, int]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    found = Counter()
    for g in model.subgraphs:
        for op in g.operators:
            code = model.operatorCodes[op.opcodeIndex]
            found[
                names[max(code.builtinCode, code.deprecatedBuiltinCode)]
                if not code.customCode
                else code.customCode.decode()
            ] += 1
    return dict(sorted(found.items()))
