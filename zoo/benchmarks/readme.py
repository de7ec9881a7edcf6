"""The README's tables, from the cards and the result files: `python -m zoo.benchmarks.readme` rewrites what stands
between `<!-- NAME -->` and `<!-- /NAME -->`, so that no number in the README is typed by hand."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo import registry
from zoo.benchmarks import exports, report, results, troubles
from zoo.benchmarks.report import markdown
from zoo.errors import InvalidInput
from zoo.evaluation import metric, number
from zoo.spec import ModelSpec

README = Path(__file__).parents[2] / "README.md"


def models() -> str:
    """One row a pretrained model, from its card, grouped by task."""
    specs = sorted(map(registry.get, registry.names()), key=lambda spec: (spec.task, spec.dataset.name, spec.name))
    rows = [(f"`{spec.name}`", spec.summary, _reached(spec), _published(spec), *_sizes(spec)) for spec in specs]
    return markdown(("name", "what", "test score", "published", "parameters", "ONNX"), rows)


def _reached(spec: ModelSpec) -> str:
    score, seeds = spec.score, spec.score.seeds
    unit = 100 if metric(score.metric).percent else 1
    mean, spread = unit * sum(seeds) / len(seeds), unit * (max(seeds) - min(seeds)) / 2
    digits = 1 if unit == 100 else 3
    over = f" ({mean:.{digits}f} ± {spread:.{digits}f}, {len(seeds)} seeds)" if len(seeds) > 1 else " (1 seed)"
    return f"{score.metric.replace('_', ' ')} **{number(score.metric, score.value)}**{over}"


def _published(spec: ModelSpec) -> str:
    return (
        "; ".join(f"{number(item.metric or spec.score.metric, item.value)} {item.what}" for item in spec.published)
        or "–"
    )


def _sizes(spec: ModelSpec) -> tuple[str, str]:
    return f"{spec.parameters:,}", f"{spec.onnx_bytes / 1024:.0f} KiB"


def comparison() -> str:
    """Vanilla, stacked, bidirectional and GRU side by side on the same data."""
    rows = results.read("comparison")
    body = [
        (
            f"`{row['model']}`",
            _spread(row),
            f"{int(row['parameters']):,}",
            f"{float(row['training_step_ms']):.0f}",
            row["p50_ms"],
            f"{int(row['bytes']) / 1024:.0f} KiB",
        )
        for row in rows
    ]
    facts = (
        f"Mean and half the range over the seeds; a training step of the recipe's batch on "
        f"{rows[0]['training_threads']} threads and a prediction at batch 1 on one, each interleaved with those of the "
        f"other three; {rows[0]['device']}; {rows[0]['versions']}."
    )
    columns = ("model", "test accuracy", "parameters", "ms a training step", "ms a prediction", "ONNX")
    return f"{markdown(columns, body)}\n\n{facts}"


def _spread(row: Mapping[str, str]) -> str:
    mean, half_range = 100 * float(row["mean"]), 100 * float(row["half_range"])
    return f"{mean:.1f} ± {half_range:.1f} %, {row['seeds']} seeds" if row["seeds"] != "1" else f"{mean:.1f} %, 1 seed"


def latency() -> str:
    """p50 in milliseconds at batch 1 and 32, with the ratio to Keras `predict`."""
    rows = results.read("latency")
    names = list(dict.fromkeys(row["model"] for row in rows))
    runtimes = list(dict.fromkeys(row["runtime"] for row in rows))
    cells = {
        (
            row["model"],
            row["runtime"],
            row["batch"],
        ): f"{float(row['p50_ms']):.2f} ({float(row['ratio_to_keras']):.0f}×)"
        for row in rows
    }
    body = [
        (f"`{name}`", batch, *(cells[name, runtime, batch] for runtime in runtimes))
        for name in names
        for batch in ("1", "32")
    ]
    facts = f"p50 in ms, windows of {rows[0]['time']} steps; {rows[0]['device']}; {rows[0]['versions']}."
    return f"{markdown(('model', 'batch', *runtimes), body)}\n\n{facts}"


def adding() -> str:
    """Mean squared error of the LSTM and of the SimpleRNN beside it."""
    rows = results.read("adding")
    body = [(f"`{row['recipe']}`", row["test_mean_squared_error"], row["parameters"], row["seconds"]) for row in rows]
    return markdown(("recipe", "test mean squared error", "parameters", "seconds"), body)


def quantized() -> str:
    """Size and speed of each quantised file beside the float one, and what the HAR models lose."""
    rows = results.read("quantized")
    ratios = {(row["layer"], row["file"], row["units"]): f"{row['ratio']}×" for row in rows}
    units = list(dict.fromkeys(row["units"] for row in rows))
    body = [
        (
            *(row["layer"], row["file"], f"{int(row['bytes']) / 1024:.0f} KiB", f"{row['smaller']}×"),
            *(ratios.get((row["layer"], row["file"], size), "–") for size in units),
        )
        for row in rows
        if row["units"] == "128"
    ]
    lost: dict[str, float] = {}
    for row in results.read("quantized_scores"):
        kind = f"{row['backend']} {row['quantize']}"
        lost[kind] = max(lost.get(kind, -100.0), float(row["points_lost"]))
    worst = ", ".join(f"{kind} {points:.2f}" for kind, points in lost.items() if "float32" not in kind)
    facts = f"Batch 1, {rows[0]['steps']} steps, one thread; {rows[0]['device']}; {rows[0]['versions']}."
    losses = f"Accuracy points the four HAR models lose at most, on the whole test split: {worst}."
    heads = ("layer", "file", "size at 128 units", "smaller", *(f"faster at {size}" for size in units))
    return f"{markdown(heads, body)}\n\n{facts}\n\n{losses}"


def layers() -> str:
    """A training step of our layers against Keras' and PyTorch's own, and the geometric mean."""
    rows = {(row["cell"], _point(row), row["library"]): row for row in results.read("layers")}
    points = list(dict.fromkeys(point for _, point, _ in rows))
    ratios = {key: float(row["times_zoo"]) for key, row in rows.items()}
    columns = [(cell, peer) for cell in ("lstm", "gru") for peer in ("keras", "torch")]
    body = [(point, *(f"{ratios[cell, point, peer]:.2f}×" for cell, peer in columns)) for point in points]
    means = [np.exp(np.mean([np.log(ratios[cell, point, peer]) for point in points])) for cell, peer in columns]
    body.append(("geometric mean", *(f"{mean:.2f}×" for mean in means)))
    first = next(iter(rows.values()))
    facts = f"Medians of {first['rounds']} interleaved rounds, 2 threads; {first['device']}; {first['versions']}."
    heads = ("batch, time, features, units", "LSTM, Keras", "LSTM, PyTorch", "GRU, Keras", "GRU, PyTorch")
    return f"{markdown(heads, body)}\n\n{facts}"


def _point(row: dict[str, str]) -> str:
    return ", ".join(row[name] for name in ("batch", "steps", "features", "units"))


def demo() -> str:
    """What `make demo` printed when `make bench` last ran."""
    return f"```text\n{(results.FOLDER / 'demo.txt').read_text('utf-8').strip()}\n```"


TABLES = {
    "demo": demo,
    "latency": latency,
    "inference": report.inference_table,
    "cold": report.cold_table,
    "streaming": report.streaming_table,
    "exports": exports.table,
    "quantized": quantized,
    "models": models,
    "comparison": comparison,
    "adding": adding,
    "layers": layers,
    "cost": troubles.cost,
    "troubles": troubles.all_troubles,
}


def fill(text: str) -> str:
    """`text` with every table made anew. Raises InvalidInput if a marker is missing."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise InvalidInput(f"README.md lacks the markers <!-- {name} --> and <!-- /{name} -->.")
        table = make()
        text = pattern.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)  # noqa: B023  # used at once
    return text


if __name__ == "__main__":
    README.write_text(fill(README.read_text("utf-8")), "utf-8")
