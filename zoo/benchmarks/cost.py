"""What a model costs: parameters, multiply-adds a step, bytes, memory of a serving process, latency.

`zoo show NAME --cost` prints it. Run `python -m zoo.benchmarks.cost` to measure the HAR models (one layer, two layers,
two directions, GRU, on the same data) and write `results/cost.csv`.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import keras

from zoo import registry
from zoo.benchmarks import latency, results
from zoo.loading import load

NAMES = ("lstm.har", "stacked_lstm.har", "bilstm.har", "gru.har")
_SERVE = """
import numpy as np
import onnxruntime
from zoo.benchmarks.process import peak_mib
before = peak_mib()
session = onnxruntime.InferenceSession({path!r}, providers=["CPUExecutionProvider"])
session.run(None, {{{name!r}: np.ones({shape!r}, {dtype!r})}})
print(before, peak_mib())
"""
ONNX = "ONNX Runtime"


def measure(name: str, rounds: int = 30) -> dict[str, Any]:
    """Sizes in bytes (float32), memory in MiB, time in ms at batch 1 over the model's window."""
    spec = registry.get(name)
    rows = {row["runtime"]: row for row in latency.measure(name, (1,), rounds)}
    before, peak = serving_memory(name)
    return {
        "model": name,
        "score": spec.score.value,
        "metric": spec.score.metric,
        "parameters": spec.parameters,
        "multiply_adds_per_step": spec.multiply_adds_per_step,
        "weight_bytes": 4 * spec.parameters,
        "onnx_bytes": spec.bytes["model.onnx"],
        "state_bytes": state_bytes(load(name)),
        "serving_mib": round(peak, 1),
        "serving_mib_without_model": round(before, 1),
        "steps": rows[ONNX]["time"],
        **{f"{_key(runtime)}_ms": row["p50_ms"] for runtime, row in rows.items()},
        "rounds": rounds,
        **results.conditions(latency.PACKAGES),
    }


def state_bytes(model: keras.Model) -> int:
    """What one stream carries from step to step: the states of every recurrent layer, in float32."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    return 4 * sum(int(size) for layer in layers for size in keras.tree.flatten(layer.state_size))


def serving_memory(name: str) -> tuple[float, float]:
    """Peak resident MiB of a process with NumPy and ONNX Runtime, before it loads the model and after one answer."""
    spec = registry.get(name)
    x = latency.example(spec, 1)
    path = str(registry.file(name, "model.onnx"))
    code = _SERVE.format(path=path, name=spec.signature.input_names[0], shape=x.shape, dtype=str(x.dtype))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, peak = map(float, answer.stdout.split())
    return before, peak


def _key(runtime: str) -> str:
    return runtime.lower().replace(" ", "_").replace(".", "_")


def run(names: Sequence[str] = NAMES, rounds: int = 30) -> list[dict[str, Any]]:
    return [measure(name, rounds) for name in names]


if __name__ == "__main__":
    print(results.write("cost", run()))
