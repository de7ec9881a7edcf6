"""Every pretrained model in every format: file, cold start, latency, memory, and the score that its card has.

`zoo bench zoo` prints it; `python -m zoo.benchmarks.pretrained` also writes `results/zoo.csv`. Batch 1, one thread,
over the model's window.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.benchmarks import process, results
from zoo.evaluation import number

AGAINST, QUANTIZE = ("keras", "litert", "saved-model"), ("dynamic",)
THREADS, ROUNDS = 1, 5
COLUMNS = ("model", "runtime", "KiB", "cold s", "CPU s", "MiB", "p50 ms", "p99 ms", "score", "faster than predict")


def run(rounds: int = ROUNDS, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One row a model and format, each model in a process of its own."""
    options = {"rounds": rounds, "against": AGAINST, "quantize": QUANTIZE, "threads": THREADS}
    request = {"batches": [1], "time": None, "cold": True, **options}
    facts = results.conditions(results.RUNTIMES, rounds=rounds)
    return [
        row | facts
        for name in (registry.all_names() if names is None else names)
        for row in process.apart("zoo.benchmarks.latency:rows", {"given": name, **request}, THREADS)
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a row, for `COLUMNS`; a form that has no time says why in its place."""
    return [_line(row) for row in rows]


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    timed = row["status"] == "ok"
    return (
        str(row["model"]),
        str(row["runtime"]),
        f"{int(row['bytes']) / 1024:.0f}" if row["bytes"] != "" else "",
        *(f"{float(row[name]):.2f}" if row[name] != "" else "" for name in ("cold_s", "cold_cpu_s")),
        f"{float(row['peak_mib']):.0f}" if row["peak_mib"] != "" else "",
        f"{float(row['p50_ms']):.3f}" if timed else str(row["status"]),
        f"{float(row['p99_ms']):.3f}" if timed else "",
        number(str(row["metric"]), float(row["score"])) if row["metric"] else "",
        f"{float(row['ratio_to_keras']):.1f}×" if row["ratio_to_keras"] != "" else "",
    )


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    first, models = rows[0], dict.fromkeys(row["model"] for row in rows)
    return (
        f"{len(models)} models, batch 1, {first['threads']} thread, {first['rounds']} rounds, {first['device']}, "
        f"{first['versions']}"
    )


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.score_by_size(rows, path)


if __name__ == "__main__":
    print(results.write("zoo", run()))
