"""Which one should I use? Vanilla, stacked and bidirectional LSTM and GRU on the same data, with the same seeds, budget
and tuning effort: score, parameters, training time, latency, size.

Run `python -m zoo.benchmarks.comparison` to time the models, interleaved, and write `results/comparison.csv` and
`results/comparison.png`; every other number is the card's.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import load
from zoo import registry
from zoo.benchmarks import results, timing
from zoo.benchmarks.subjects import Subject
from zoo.spec import ModelSpec

PACKAGES = ("onnxruntime",)
ARCHITECTURES = ("lstm", "stacked_lstm", "bilstm", "gru")
TAGS = ("har", "fsdd", "imdb")
STEPS = {"fsdd": 3_400, "imdb": 197}  # samples of a digit, words of a review, the medians; a recording has its window
ROUNDS = 200


def measure(tag: str, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """One row an architecture trained on `tag`: latency in ms at batch 1 on one thread of ONNX Runtime."""
    specs = [registry.get(f"{architecture}.{tag}") for architecture in ARCHITECTURES]
    seconds = timing.interleaved({spec.name: _call(spec, tag) for spec in specs}, rounds)
    facts = results.conditions(PACKAGES, threads=1, rounds=rounds)
    return [_row(spec, tag, float(np.median(seconds[spec.name]))) | facts for spec in specs]


def _call(spec: ModelSpec, tag: str) -> Callable[[], Any]:
    runner, size = load(spec.name), STEPS.get(tag)
    inputs = Subject(spec.name).inputs(1, size)
    return lambda: runner.run(inputs)


def _row(spec: ModelSpec, tag: str, seconds: float) -> dict[str, Any]:
    seeds = spec.score.seeds
    return {
        "data": tag,
        "model": spec.name,
        "metric": spec.score.metric,
        "mean": round(float(np.mean(seeds)), 6),
        "half_range": round((max(seeds) - min(seeds)) / 2, 6),
        "seeds": len(seeds),
        "parameters": spec.parameters,
        "training_minutes": round(spec.training["seconds"] / 60, 1),
        "p50_ms": round(1e3 * seconds, 3),
        "bytes": spec.onnx_bytes,
    }


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """One panel a data set: score against latency, the area of a point in proportion to its parameters."""
    from matplotlib.figure import Figure

    tags = list(dict.fromkeys(row["data"] for row in rows))
    largest = max(float(row["parameters"]) for row in rows)
    figure = Figure(figsize=(4.6 * len(tags), 3.6), layout="constrained")
    for tag, panel in zip(tags, figure.subplots(1, len(tags), squeeze=False)[0], strict=True):
        for row in (row for row in rows if row["data"] == tag):
            x, y = float(row["p50_ms"]), 100 * float(row["mean"])
            area = 600 * float(row["parameters"]) / largest
            panel.errorbar(x, y, yerr=100 * float(row["half_range"]), color="grey", linewidth=1, zorder=1)
            panel.scatter(x, y, s=area, alpha=0.75, zorder=2)
            panel.annotate(row["model"], (x, y), xytext=(10, 9), textcoords="offset points", fontsize=8)
        panel.set(title=tag, xlabel="ms at batch 1, ONNX Runtime, one thread", ylabel="test accuracy, %")
        panel.margins(x=0.4, y=0.25)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    complete = [tag for tag in TAGS if {f"{name}.{tag}" for name in ARCHITECTURES} <= set(registry.all_names())]
    found = [row for tag in complete for row in measure(tag)]
    print(results.write("comparison", found))
    print(plot(found, results.FOLDER / "comparison.png"))
