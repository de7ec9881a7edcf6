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
from zoo import models, recipes, registry
from zoo.benchmarks import process, results, timing
from zoo.benchmarks.subjects import Subject
from zoo.recipes import losses
from zoo.spec import ModelSpec

PACKAGES = ("tensorflow-cpu", "keras", "onnxruntime")
ARCHITECTURES = ("lstm", "stacked_lstm", "bilstm", "gru")
TAGS = ("har", "fsdd", "imdb")
STEPS = {"fsdd": 3_400, "imdb": 197}  # samples of a digit, words of a review, the medians; a recording has its window
ROUNDS, TRAINING_ROUNDS = 200, 15


def measure(tag: str, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """One row an architecture trained on `tag`: ms of a prediction at batch 1 on one thread of ONNX Runtime, and of a
    training step at the recipe's batch."""
    specs = [registry.get(f"{architecture}.{tag}") for architecture in ARCHITECTURES]
    facts = results.conditions(PACKAGES, threads=1, training_threads=process.cores(), rounds=rounds)
    called = timing.interleaved({spec.name: _call(spec, tag) for spec in specs}, rounds)
    trained = timing.interleaved({spec.name: _training_step(spec, tag) for spec in specs}, TRAINING_ROUNDS, settle=2)
    return [_row(spec, *(_median_ms(times[spec.name]) for times in (called, trained))) | facts for spec in specs]


def _median_ms(seconds: np.ndarray) -> float:
    return round(1e3 * float(np.median(seconds)), 3)


def _call(spec: ModelSpec, tag: str) -> Callable[[], Any]:
    runner, size = load(spec.name), STEPS.get(tag)
    inputs = Subject(spec.name).inputs(1, size)
    return lambda: runner.run(inputs)


def _training_step(spec: ModelSpec, tag: str) -> Callable[[], Any]:
    """A step on a batch of the recipe's size; its examples are all of the median length."""
    recipe = recipes.get(spec.name)
    model = models.build(recipe.family, recipe.config)
    model.compile("adamw", losses.build(recipe), jit_compile=False)
    (x,), y = (
        Subject(spec.name).inputs(recipe.batch_size, STEPS.get(tag)).values(),
        np.zeros(recipe.batch_size, "int32"),
    )
    return lambda: model.train_on_batch(x, y)


def _row(spec: ModelSpec, ms: float, training_step_ms: float) -> dict[str, Any]:
    seeds = spec.score.seeds
    return {
        "data": spec.name.partition(".")[2],
        "model": spec.name,
        "metric": spec.score.metric,
        "mean": round(float(np.mean(seeds)), 6),
        "half_range": round((max(seeds) - min(seeds)) / 2, 6),
        "seeds": len(seeds),
        "parameters": spec.parameters,
        "training_step_ms": training_step_ms,
        "p50_ms": ms,
        "bytes": spec.onnx_bytes,
    }


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """One panel a data set: score against latency, scores on axes of one length; the area of a point stands for
    its parameters."""
    from matplotlib.figure import Figure

    tags = list(dict.fromkeys(row["data"] for row in rows))
    largest = max(float(row["parameters"]) for row in rows)
    ends = {tag: [100 * float(row["mean"]) for row in rows if row["data"] == tag] for tag in tags}
    span = max(max(values) - min(values) for values in ends.values())
    figure = Figure(figsize=(4.6 * len(tags), 3.6), layout="constrained")
    for tag, panel in zip(tags, figure.subplots(1, len(tags), squeeze=False)[0], strict=True):
        for row in (row for row in rows if row["data"] == tag):
            x, y = float(row["p50_ms"]), 100 * float(row["mean"])
            area = 600 * float(row["parameters"]) / largest
            panel.errorbar(x, y, yerr=100 * float(row["half_range"]), color="grey", linewidth=1, zorder=1)
            panel.scatter(x, y, s=area, alpha=0.75, zorder=2)
            panel.annotate(row["model"], (x, y), xytext=(10, 9), textcoords="offset points", fontsize=8)
        panel.set(title=tag, xlabel="ms at batch 1, ONNX Runtime, one thread", ylabel="test accuracy, %")
        panel.margins(x=0.4)
        middle = (min(ends[tag]) + max(ends[tag])) / 2
        panel.set_ylim(middle - span, middle + span)
        panel.grid(alpha=0.3)
    figure.supxlabel("area of a point: parameters; bars: the range over the seeds", fontsize=8)
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    complete = [tag for tag in TAGS if {f"{name}.{tag}" for name in ARCHITECTURES} <= set(registry.all_names())]
    found = [row for tag in complete for row in measure(tag)]
    print(results.write("comparison", found))
    print(plot(found, results.FOLDER / "comparison.png"))
