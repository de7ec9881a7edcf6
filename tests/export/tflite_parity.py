"""What every TFLite test needs: a Keras model with random weights, its file, and both run on the same arrays."""

from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from export import tflite
from export.lowering import source as sources

FEATURES, STEPS = 3, 6
TOLERANCE = 1e-5
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"


def randomised(model, seed=0, scale=0.4):
    """Every float weight from one seed; moving variances stay positive."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            value = rng.standard_normal(variable.shape) * scale
            variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    return model


def model_of(build, time=STEPS, masked=False, seed=0):
    """A functional model of `build(x)`, or `build(x, mask)`; x [batch, time, 3] is input "x", its mask input "mask"."""
    x = keras.Input((time, FEATURES), name="x")
    if not masked:
        return randomised(keras.Model(x, build(x)), seed)
    mask = keras.Input((time,), dtype="bool", name="mask")
    return randomised(keras.Model([x, mask], build(x, mask)), seed)


def written(model, folder: Path, **arguments):
    """The path of the model's file, its source, and what `write` reports."""
    source, path = sources.read(model), folder / "model.tflite"
    return path, source, tflite.write(source, path, '{"name": "test"}', **arguments)


def arrays(seed=1, batch=1, steps=STEPS):
    return {"x": np.random.default_rng(seed).standard_normal((batch, steps, FEATURES)).astype("float32")}


def run(path, feeds, *, times=2, reset=True):
    """The outputs of `times` invocations in a row, with or without a reset of the variables before each."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    signature = interpreter.get_signature_list()["serving_default"]
    assert set(signature["inputs"]) == set(feeds)
    runner = interpreter.get_signature_runner("serving_default")
    results = []
    for _ in range(times):
        if reset:
            interpreter.reset_all_variables()
        results.append({name: np.array(value) for name, value in runner(**feeds).items()})
    return results


def keras_outputs(model, source, feeds):
    tensors = [feeds[name] for name in source.signature.input_names]
    outputs = keras.tree.flatten(model(keras.tree.pack_sequence_as(source.structure, tensors)))
    return {
        name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))
        for name, value in zip(source.signature.output_names, outputs, strict=True)
    }


def worst_difference(model, folder, feeds, *, reset=True, **arguments):
    """The largest difference from Keras over two invocations, and the operators of the file."""
    path, source, report = written(model, folder, **arguments)
    want = keras_outputs(model, source, feeds)
    worst = 0.0
    for got in run(path, feeds, reset=reset):
        assert {name: value.shape for name, value in got.items()} == {name: value.shape for name, value in want.items()}
        worst = max(worst, *(float(np.abs(got[name] - want[name]).max()) for name in want))
    assert not [name for name in report.operators if name.startswith("Flex")]
    return worst, report.operators
