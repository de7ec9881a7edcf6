"""What every ONNX test needs: a Keras model with random weights, its file, and both run on the same arrays."""

from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime

from export import onnx as onnx_export
from export.lowering import source as sources
from export.onnx_graph import walk

FEATURES = 3
TOLERANCE = 2e-5


def randomised(model, seed=0, scale=0.4):
    """Every float weight from one seed; moving variances stay positive."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if "float" in variable.dtype:
            value = rng.standard_normal(variable.shape) * scale
            variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    return model


def chain(*layers, shape=(None, FEATURES), dtype=None):
    """A functional model of layers in a row, weights randomised."""
    inputs = keras.Input(shape, dtype=dtype)
    x = inputs
    for layer in layers:
        x = layer(x)
    return randomised(keras.Model(inputs, x))


def written(model, folder):
    """The file of `model`, its signature and what was written."""
    source = sources.read(model)
    path = folder / "model.onnx"
    return path, source, onnx_export.write(source, path, '{"name": "test"}')


def batches(shape=(None, FEATURES), sizes=((1, 1), (2, 7), (7, 4)), seed=1):
    """Random arrays for a model of one input, free axes filled by (batch, time)."""
    rng = np.random.default_rng(seed)
    for batch, time in sizes:
        yield rng.standard_normal([batch, *(time if size is None else size for size in shape)]).astype("float32")


def worst_difference(model, folder, feeds, reference=None):
    """The largest difference between ONNX Runtime and Keras over `feeds`, each an array or a list of arrays; relative
    to the largest value of an output where that is above 1.

    Every session runs every feed twice; names, shapes and dtypes must be those of the signature.
    """
    path, source, _ = written(model, folder)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert tuple(item.name for item in session.get_inputs()) == source.signature.input_names
    assert tuple(item.name for item in session.get_outputs()) == source.signature.output_names
    return max(_difference(session, source, reference or model, feed) for feed in feeds for _ in range(2))


def _difference(session, source, model, feed):
    feed = feed if isinstance(feed, list) else [feed]
    expected = keras.tree.flatten(model(keras.tree.pack_sequence_as(source.structure, feed), training=False))
    got = session.run(None, dict(zip(source.signature.input_names, feed, strict=True)))
    difference = 0.0
    for spec, theirs, ours in zip(source.signature.outputs, expected, got, strict=True):
        theirs = keras.ops.convert_to_numpy(keras.ops.cast(theirs, "float32"))
        assert ours.shape == theirs.shape
        assert ours.dtype == spec.dtype
        size = max(1.0, float(np.abs(theirs).max(initial=0.0)))
        difference = max(difference, float(np.abs(ours - theirs).max(initial=0.0)) / size)
    return difference


def operators(folder):
    """Operators of the last file written to `folder`."""
    graph = onnx.load(folder / "model.onnx").graph
    return Counter(node.op_type for node in walk(graph))


def recurrent_operators(folder):
    """Those that hold a recurrence, and how often."""
    found = operators(folder)
    return {kind: found[kind] for kind in ("LSTM", "GRU", "RNN", "Loop", "Scan", "If") if found[kind]}


def padded(x):
    x = x.copy()
    x[0, x.shape[1] // 2 :] = 0
    x[-1, 0] = 0
    return x
