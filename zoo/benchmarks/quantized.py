"""Quantised files against float ones: speed and size of one recurrent layer, and scores of the pretrained models.

Run `python -m zoo.benchmarks.quantized` to write `results/quantized.csv` and `results/quantized_scores.csv`. The first
also holds what was tried for the GRU and does not ship, because it is slower or no faster: integer steps below
`export.onnx_integer_gru.UNITS`, the same steps in float, and weights behind a `DequantizeLinear`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from export import to_onnx, to_tflite
from export.backends import open_model
from export.onnx_graph import walk
from export.onnx_integer_gru import UNITS, integer_gru
from export.quantize import quantized
from export.runtime import load
from zoo import datasets, registry
from zoo.benchmarks import results, timing
from zoo.evaluation import evaluate

STEPS, FEATURES, ROUNDS = 100, 64, 200
KINDS = {"onnx": ("float16", "dynamic"), "tflite": ("float16", "dynamic", "int8", "int16x8")}
FLOAT = "float32"


def speed(kind: str, units: int, rounds: int) -> list[dict[str, Any]]:
    """One row a file, batch 1: `ratio` is how many times faster, `smaller` how many times smaller than the float32 file
    of its runtime; `difference` is the largest from Keras."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((STEPS, FEATURES), name="x"), getattr(keras.layers, kind)(units)])
    x = np.random.default_rng(0).standard_normal((1, STEPS, FEATURES)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(x))
    with tempfile.TemporaryDirectory() as name:
        files = _files(model, x, Path(name))
        calls = {what: _call(path, x) for what, path in files.items()}
        seconds: dict[str, np.ndarray] = {}
        for runtime in KINDS:  # apart, as each candidate finds in the cache what the one before it left there
            seconds |= timing.interleaved({what: calls[what] for what in calls if what.startswith(runtime)}, rounds)
        sizes = {what: path.stat().st_size for what, path in files.items()}
    medians = {what: float(np.median(values)) for what, values in seconds.items()}
    rows = []
    for what in files:
        reference = f"{what.split()[0]} {FLOAT}"
        rows.append(
            {
                "layer": kind,
                "units": units,
                "file": what,
                "bytes": sizes[what],
                "smaller": round(sizes[reference] / sizes[what], 2),
                "p50_ms": round(1e3 * medians[what], 4),
                "ratio": round(medians[reference] / medians[what], 2),
                "difference": f"{np.abs(calls[what]() - expected).max():.1e}",
                "steps": STEPS,
                "features": FEATURES,
            }
        )
    return rows


def scores(name: str) -> list[dict[str, Any]]:
    """One row a backend and kind of quantisation: the score on the test split, and points lost."""
    spec = registry.get(name)
    test = datasets.get(spec.dataset.name).load().test
    rows = []
    for backend, kinds in KINDS.items():
        for quantize in (None, *kinds):
            value = evaluate(open_model(name, backend, quantize), test, (spec.score.metric,))[spec.score.metric]
            row = {"model": name, "backend": backend, "quantize": quantize or FLOAT, spec.score.metric: round(value, 4)}
            rows.append(row | {"points_lost": round(100 * (spec.score.value - value), 2), "examples": len(test)})
    return rows


def _files(model: keras.Model, x: np.ndarray, folder: Path) -> dict[str, Path]:
    """Every file that ships, then what was tried: their names begin with the runtime."""
    random = np.random.default_rng(1)
    calibration = [{"x": random.standard_normal(x.shape).astype("float32")} for _ in range(20)]
    files = {f"onnx {FLOAT}": to_onnx(model, folder / "onnx.onnx").path}
    for quantize in KINDS["onnx"]:
        files[f"onnx {quantize}"] = to_onnx(model, folder / f"{quantize}.onnx", quantize=quantize).path
    files[f"tflite {FLOAT}"] = to_tflite(model, folder / "tflite.tflite").path
    for quantize in KINDS["tflite"]:
        given = calibration if quantize in ("int8", "int16x8") else None
        artifact = to_tflite(model, folder / f"{quantize}.tflite", quantize=quantize, calibration=given)
        files[f"tflite {quantize}"] = artifact.path
    proto = onnx.load(files[f"onnx {FLOAT}"])
    if any(node.op_type == "GRU" for node in proto.graph.node):
        tried = {"DequantizeLinear": _dequantized(proto), "float steps": _in_float_steps(proto)}
        if model.layers[-1].units < UNITS:
            tried["integer steps"], _ = quantized(proto, "dynamic", integer_gru_from=1)
        for what, file in tried.items():
            files[f"onnx {what}, not shipped"] = folder / f"{what}.onnx"
            onnx.save(file, files[f"onnx {what}, not shipped"])
    return files


def _call(path: Path, x: np.ndarray) -> Any:
    executor = load(path)
    inputs, output = {executor.signature.input_names[0]: x}, executor.signature.output_names[0]
    return lambda: executor.run_checked(inputs)[output]


def _weights(model: onnx.ModelProto) -> tuple[onnx.NodeProto, list[np.ndarray]]:
    """The GRU node, and its W [3 H, D], R [3 H, H] and B [6 H], gates z, r, n."""
    node = next(node for node in model.graph.node if node.op_type == "GRU")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return node, [arrays[name][0] for name in node.input[1:4]]


def _int8(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    scale = (np.abs(weight).max(axis=axis, keepdims=True) / 127).astype("float32")
    return np.rint(weight / scale).astype("int8"), scale.ravel()


def _dequantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float GRU file with int8 weights behind `DequantizeLinear`."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    node, arrays = _weights(changed)
    nodes = []
    for name, array in zip(node.input[1:3], arrays, strict=False):
        tensor = next(tensor for tensor in changed.graph.initializer if tensor.name == name)
        values, scale = _int8(array, 1)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_int8"))
        axis = numpy_helper.from_array(np.array([0]), f"{name}_axis")
        changed.graph.initializer.extend([numpy_helper.from_array(scale, f"{name}_scale"), axis])
        nodes += [
            helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [f"{name}_real"], axis=0),
            helper.make_node("Unsqueeze", [f"{name}_real", f"{name}_axis"], [name]),
        ]
    _set_nodes(changed.graph, [*nodes, *changed.graph.node])
    return changed


def _in_float_steps(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float GRU file as one product for the inputs of all steps, and a `Scan` with one product a step."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph, (node, arrays) = changed.graph, _weights(changed)
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.name not in node.input]
    del graph.initializer[:]
    graph.initializer.extend(kept)

    def add(name: str, value: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def factor(name: str, matrix: np.ndarray) -> tuple[str, str]:
        return add(name, matrix), ""

    steps = integer_gru(node, [array[None] for array in arrays], factor, add)
    nodes = [new for old in graph.node for new in (steps if old == node else [old])]
    _set_nodes(graph, nodes)
    bodies = [item.g for new in walk(graph) if new.op_type == "Scan" for item in new.attribute if item.name == "body"]
    for inner in (*bodies, graph):
        _set_nodes(inner, [new for old in inner.node for new in _product(old)])
    return changed


def _product(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A product of integers with a bias as one of floats."""
    if node.op_type != "DynamicQuantizeMatMul":
        return [node]
    x, weight, _, _, bias = node.input
    (output,) = node.output
    return [
        helper.make_node("MatMul", [x, weight], [f"{output}_product"]),
        helper.make_node("Add", [f"{output}_product", bias], [output]),
    ]


def _set_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


if __name__ == "__main__":
    facts = results.conditions(results.RUNTIMES)
    timed = facts | {"threads": 1, "rounds": ROUNDS}
    sizes = [(kind, units) for kind in ("LSTM", "GRU") for units in (64, 128, 256, 384, 512)]
    print(results.write("quantized", [row | timed for size in sizes for row in speed(*size, ROUNDS)]))
    print(results.write("quantized_scores", [row | facts for name in registry.names("*.har") for row in scores(name)]))
