"""What a model costs: parameters, multiply-adds a step, bytes, memory of a serving process, latency.

`zoo show NAME --cost` prints it. Run `python -m zoo.benchmarks.cost` to measure the HAR models (one layer, two layers,
two directions, GRU, on the same data) and write `results/cost.csv`.
"""

from collections.abc import Sequence
from typing import Any

import keras

from zoo import registry
from zoo.benchmarks import latency, peers, process, results
from zoo.benchmarks.subjects import Subject
from zoo.loading import load

NAMES = ("lstm.har", "stacked_lstm.har", "bilstm.har", "gru.har")


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
        "onnx_bytes": spec.onnx_bytes,
        "state_bytes": state_bytes(load(name)),
        "serving_mib": round(peak, 1),
        "serving_mib_without_model": round(before, 1),
        "steps": rows[latency.ONNX]["time"],
        **{f"{_key(runtime)}_ms": row["p50_ms"] for runtime, row in rows.items()},
        **results.conditions(results.RUNTIMES, threads=1, rounds=rounds),
    }


def state_bytes(model: keras.Model) -> int:
    """What one stream carries from step to step: the states of every recurrent layer, in float32."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    return 4 * sum(int(size) for layer in layers for size in keras.tree.flatten(layer.state_size))


def serving_memory(name: str) -> tuple[float, float]:
    """Peak resident MiB of a process with NumPy and ONNX Runtime, before it loads the model and after one answer."""
    subject, peer = Subject(name), peers.of(latency.ONNX)
    assert peer.cold is not None
    codes = ("import numpy, onnxruntime", peer.cold(subject, subject.inputs(1)))
    before, peak = (process.cold_start(code)["peak_mib"] for code in codes)
    return before, peak


def _key(runtime: str) -> str:
    return runtime.lower().replace(" ", "_").replace(".", "_")


def run(names: Sequence[str] = NAMES, rounds: int = 30) -> list[dict[str, Any]]:
    return [measure(name, rounds) for name in names]


if __name__ == "__main__":
    print(results.write("cost", run()))
