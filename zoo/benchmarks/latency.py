"""Latency of one prediction: Keras `predict`, Keras under `tf.function`, ONNX Runtime, LiteRT, on the same input.

Run `python -m zoo.benchmarks.latency` to measure the HAR models and write `results/latency.csv`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from export.backends import open_model
from zoo import registry
from zoo.benchmarks import results, timing
from zoo.errors import InvalidInput, ParityError
from zoo.loading import load
from zoo.spec import ModelSpec

PACKAGES = ("tensorflow-cpu", "keras", "onnxruntime", "ai-edge-litert")
KERAS = "Keras predict"
ALLOWED = 1e-3


def measure(name: str, batches: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """One row a runtime and batch size; `ratio_to_keras` is how many times faster than `predict` its median is."""
    if any(size < 1 for size in batches):
        raise InvalidInput(f"Batch sizes {list(batches)} must be 1 or more.")
    spec = registry.get(name)
    facts = results.conditions(PACKAGES)
    rows = []
    for batch in batches:
        x = example(spec, batch)
        seconds = timing.interleaved(_candidates(name, x), rounds)
        medians = {runtime: float(np.median(values)) for runtime, values in seconds.items()}
        rows += [
            {
                "model": name,
                "runtime": runtime,
                "batch": batch,
                "time": x.shape[1],
                "p50_ms": round(1e3 * medians[runtime], 4),
                "p90_ms": round(1e3 * float(np.percentile(values, 90)), 4),
                "ratio_to_keras": round(medians[KERAS] / medians[runtime], 2),
                "rounds": rounds,
                **facts,
            }
            for runtime, values in seconds.items()
        ]
    return rows


def example(spec: ModelSpec, batch: int) -> np.ndarray:
    """An input of the model: white noise, or tokens, over its window (100 steps where it has none)."""
    first = spec.signature.inputs[0]
    shape = (batch, *(size or spec.window or 100 for size in first.shape[1:]))
    if "int" in first.dtype:
        return np.ones(shape, first.dtype)
    return np.random.default_rng(0).standard_normal(shape).astype(first.dtype)


def conditions(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{rows[0]['time']} steps, {rows[0]['rounds']} rounds, {rows[0]['device']}, {rows[0]['versions']}"


def _candidates(name: str, x: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The same weights everywhere; no row without agreement of the outputs."""
    import tensorflow as tf

    spec, model = registry.get(name), load(name)
    graph = tf.function(lambda x: model(x, training=False))
    onnx, litert = open_model(name, "onnx"), open_model(name, "tflite")
    inputs, output = {spec.signature.input_names[0]: x}, spec.signature.output_names[0]
    candidates = {
        KERAS: lambda: model.predict(x, verbose=0),
        "Keras tf.function": lambda: graph(x).numpy(),
        "ONNX Runtime": lambda: onnx.run(inputs)[output],
        "LiteRT": lambda: litert.run(inputs)[output],
    }
    expected = candidates[KERAS]()
    for runtime, call in candidates.items():
        difference = float(np.abs(call() - expected).max())
        if not difference <= ALLOWED:
            raise ParityError(
                f"{name}: {runtime} differs from Keras by {difference:.1e} (allowed {ALLOWED:.0e}): nothing was timed."
            )
    return candidates


if __name__ == "__main__":
    found = [row for name in registry.names("*.har") for row in measure(name, (1, 32), 50)]
    print(results.write("latency", found))
