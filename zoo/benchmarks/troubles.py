"""The README's tables of the known troubles, one for each result file that is there."""

from collections.abc import Callable, Sequence

import numpy as np

from zoo.benchmarks import results
from zoo.benchmarks.report import markdown

Row = dict[str, str]


def cost() -> str:
    """One layer, two layers, two directions and a GRU on the same data; times are those of the latency table."""
    rows = results.read("cost")
    single = [row for row in results.read("latency") if (row["batch"], row["threads"]) == ("1", "1")]
    times = {(row["model"], row["runtime"]): float(row["p50_ms"]) for row in single if row["p50_ms"]}
    body = [
        (
            f"`{row['model']}`",
            f"{100 * float(row['score']):.1f} %",
            f"{int(row['parameters']):,}",
            f"{int(row['multiply_adds_per_step']):,}",
            f"{int(row['weight_bytes']) / 1024:.0f} KiB",
            f"{int(row['state_bytes'])} B",
            f"{float(row['serving_mib']):.0f} MiB",
            *(f"{times[row['model'], runtime]:.2f}" for runtime in ("ONNX Runtime", "LiteRT")),
        )
        for row in rows
    ]
    columns = (
        "model",
        "test accuracy",
        "parameters",
        "multiply-adds a step",
        "weights",
        "state",
        "process",
        "ONNX Runtime, ms",
        "LiteRT, ms",
    )
    first = rows[0]
    alone = float(first["serving_mib_without_model"])
    facts = (
        f"Process: peak memory of NumPy and ONNX Runtime with the model, {alone:.0f} MiB without. Times: p50 of a "
        f"window of {first['steps']} steps at batch 1; {first['device']}; {first['versions']}."
    )
    return f"{markdown(columns, body)}\n\n{facts}"


def all_troubles() -> str:
    """The tables below each other."""
    made = [make() for name, make in _TABLES.items() if (results.FOLDER / f"{name}.csv").exists()]
    return "\n\n".join(made)


def _gradient_flow() -> str:
    rows = results.read("gradient_flow")
    lags = ("10", "100", "500")
    cells = {(row["cell"], row["lag"]): row["norm"] for row in rows}
    body = [(name, *(f"{float(cells[name, lag]):.0e}" for lag in lags)) for name in _each(rows, "cell")]
    title = "**Vanishing gradients.** Norm of d loss / d h so many steps back, last step 1, as initialised:"
    return f"{title}\n\n{markdown(('cell', *lags), body)}"


def _long_sequences() -> str:
    rows = results.read("long_sequences")
    tasks = list(dict.fromkeys((row["task"], row["length"]) for row in rows))
    cells = {(row["cell"], row["task"], row["length"]): row for row in rows}
    body = []
    for cell in _each(rows, "cell"):
        found = [cells.get((cell, *task)) for task in tasks]
        body.append((cell, *(f"{row['error']} ({row['us_per_step']} µs)" if row else "–" for row in found)))
    updates = ", ".join(next(row["updates"] for row in rows if (row["task"], row["length"]) == task) for task in tasks)
    title = (
        "**Long dependencies.** Error after as many updates for each cell "
        f"({updates}), and time of a training step per time step; adding: mean squared error, chance 0.167; "
        "copy: share of wrong symbols, chance 0.875:"
    )
    return f"{title}\n\n{markdown(('cell', *(f'{task} {length}' for task, length in tasks)), body)}"


def _memory() -> str:
    rows = results.read("memory")
    body = [(row["way"], row["what"], f"{int(row['peak_mib']):,} MiB", f"{row['seconds_per_pass']} s") for row in rows]
    title = (
        f"**One sequence of {int(rows[0]['steps']):,} steps.** Training {rows[0]['units']} units on it, whole process:"
    )
    return f"{title}\n\n{markdown(('way', 'what is kept', 'peak memory', 'a pass'), body)}"


def _overfitting() -> str:
    rows = results.read("overfitting")
    body = []
    for remedy in _each(rows, "remedy"):
        line = [remedy]
        for kept in ("last epoch", "early stopping"):
            chosen = [row for row in rows if (row["remedy"], row["kept"]) == (remedy, kept)]
            test = [float(row["test"]) for row in chosen]
            gap = 100 * np.mean([float(row["gap"]) for row in chosen])
            line.append(f"{_range(test)}, gap {gap:.1f}")
        body.append(line)
    title = (
        f"**Overfitting.** HAR from four people ({rows[0]['training_examples']} windows), test accuracy on nine others "
        "and its distance from training, in points; three seeds:"
    )
    return f"{title}\n\n{markdown(('remedy', 'last epoch', 'early stopping'), body)}"


def _small_data() -> str:
    rows = results.read("small_data")
    counts = _each(rows, "examples_per_class")
    body = []
    for start in _each(rows, "start"):
        line = [start]
        for count in counts:
            chosen = [row for row in rows if (row["start"], row["examples_per_class"]) == (start, count)]
            line.append(_range([float(row["accuracy"]) for row in chosen]))
        body.append(line)
    title = (
        "**Few labels.** Six activities of new people from so many examples a class, scored on four others of them; "
        "pretrained on three activities of 21 other people; three draws:"
    )
    return f"{title}\n\n{markdown(('', *counts), body)}"


def _tuned() -> str:
    rows = results.read("tuned")
    body = []
    for settings in _each(rows, "settings"):
        chosen = [row for row in rows if row["settings"] == settings]
        scores = [_range([float(row[part]) for row in chosen]) for part in ("validation", "test")]
        body.append((settings, *scores))
    title = (
        f"**Hyperparameters.** `{rows[0]['recipe']}` on four people: the recipe against the best of 20 trials, all of "
        f"{rows[0]['epochs']} epochs; both trained again, three seeds:"
    )
    return f"{title}\n\n{markdown(('settings', 'validation', 'test'), body)}"


_TABLES: dict[str, Callable[[], str]] = {
    "gradient_flow": _gradient_flow,
    "long_sequences": _long_sequences,
    "memory": _memory,
    "overfitting": _overfitting,
    "small_data": _small_data,
    "tuned": _tuned,
}


def _each(rows: Sequence[Row], key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _range(values: Sequence[float]) -> str:
    """Mean and half the range, in per cent."""
    return f"{100 * np.mean(values):.1f} ± {50 * (max(values) - min(values)):.1f} %"
