"""The pictures of the benchmarks, drawn from rows as they are measured or as a CSV file gives them back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, Any]]
_SIZE = ("batch", "steps", "features", "units")
_COLOURS = {
    "ONNX Runtime": "#0b5fa5",
    "ONNX Runtime, dynamic": "#58a6e0",
    "LiteRT": "#2a8c4a",
    "LiteRT, dynamic": "#7cc496",
    "LiteRT, Keras export unrolled": "#555555",
    "SavedModel": "#a0742a",
    "OpenVINO": "#7b3fa0",
    "OpenVINO, Keras export": "#c49add",
    "PyTorch": "#d6492a",
    "ONNX Runtime, Keras export": "#8a8a8a",
    "Keras tf.function": "#e0a100",
    "Keras predict": "#333333",
}


def latency(rows: Rows, path: Path) -> Path:
    """One panel a number of threads: p50 against batch, a line a runtime."""
    threads = _distinct(rows, "threads")
    figure, panels = _panels(len(threads))
    for count, panel in zip(threads, panels, strict=True):
        _lines(panel, [row for row in rows if row["threads"] == count], "batch", "p50_ms")
        _logarithmic(panel, "batch", "ms", sorted({int(row["batch"]) for row in rows}))
        panel.set_title(f"{rows[0]['model']}, {rows[0]['time']} steps, {_counted(count, 'thread')}")
    return _saved(figure, panels, path)


def latency_by_batch(rows: Rows, path: Path) -> Path:
    """Two panels, LSTM and GRU: ms of the size with most batches against batch, a line a runtime."""
    rows = [row for row in rows if int(row["units"]) == 128 and not row["runtime"].endswith("1 thread")]
    figure, panels = _panels(2)
    for cell, panel in zip(("lstm", "gru"), panels, strict=True):
        _lines(panel, [row for row in rows if row["cell"] == cell], "batch", "p50_ms")
        _logarithmic(panel, "batch", "ms", sorted({int(row["batch"]) for row in rows}))
        panel.set_title(f"{cell.upper()}(128), 100 steps of 64, {_counted(rows[0]['threads'], 'thread')}")
    return _saved(figure, panels, path)


def steps_by_units(rows: Rows, path: Path) -> Path:
    """Two panels, LSTM and GRU: µs a step against units, a line a runtime."""
    rows = [row for row in rows if row["units"] != ""]
    figure, panels = _panels(2)
    for cell, panel in zip(("lstm", "gru"), panels, strict=True):
        _lines(panel, [row for row in rows if row["model"] == cell], "units", "p50_us")
        _logarithmic(panel, "units", "µs a step", sorted({int(row["units"]) for row in rows}))
        panel.set_title(f"{cell.upper()}, a step of a stream, one thread")
    return _saved(figure, panels, path)


def cost_by_size(rows: Rows, path: Path) -> Path:
    """A panel a cell and size that is changed: ms against that size, a line a runtime; a thin line is in proportion."""
    cells, sizes = _distinct(rows, "cell"), _distinct(rows, "against")
    figure, panels = _panels(len(sizes), len(cells))
    for panel, (cell, size) in zip(panels, [(cell, size) for cell in cells for size in sizes], strict=True):
        found = [row for row in rows if (row["cell"], row["against"]) == (cell, size)]
        _lines(panel, found, "value", "p50_ms")
        _proportion(panel, found)
        unit, ticks = f"ms, {_counted(found[0]['threads'], 'thread')}", sorted({int(row["value"]) for row in found})
        _logarithmic(panel, size, unit, ticks)
        panel.set_title(f"{cell.upper()} against {size}: {_kept(found, size)}", fontsize=10)
    return _saved(figure, panels, path)


def _kept(rows: Rows, changed: str) -> str:
    """The sizes that stay the same: `batch 1, 64 features, 128 units`."""
    kept = {name: rows[0][name] for name in _SIZE if name != changed}
    return ", ".join(f"batch {size}" if name == "batch" else f"{size} {name}" for name, size in kept.items())


def forms_by_length(rows: Rows, path: Path) -> Path:
    """A panel a cell and kind of weights, at 128 units and batch 1: µs a step against steps, a line a form, which is
    dashed where the length is free; a ring around what the exporter takes."""
    from zoo.benchmarks.forms import case_of, chosen

    rows = [row for row in rows if str(row["batch"]) == "1"]
    units = 128 if any(str(row["units"]) == "128" for row in rows) else max(int(row["units"]) for row in rows)
    rows = [row for row in rows if int(row["units"]) == units]
    kinds = list(dict.fromkeys((row["cell"], row["quantize"]) for row in rows))
    figure, panels = _panels(min(2, len(kinds)), -(-len(kinds) // 2))
    for (cell, weights), panel in zip(kinds, panels, strict=False):
        found = [row for row in rows if (row["cell"], row["quantize"]) == (cell, weights)]
        for form, colour in (("fused", "#d6492a"), ("unrolled", "#7b3fa0"), ("WHILE", "#2a8c4a")):
            for free in ("False", "True"):
                own = [row for row in found if row["form"] == form and str(row["free"]) == free]
                points = sorted((int(row["steps"]), float(row["p50_us"]) / int(row["steps"])) for row in own)
                label = f"{form}, free length" if free == "True" else form
                if points:
                    dashes = "--" if free == "True" else "-"
                    panel.plot(*zip(*points, strict=True), dashes, marker="o", markersize=4, color=colour, label=label)
        taken = [(int(row["steps"]), row) for row in found if row["form"] == chosen(case_of(row))]
        heights = [float(row["p50_us"]) / steps for steps, row in taken]
        ring = {"markersize": 10, "markerfacecolor": "none", "color": "#333333", "label": "what the exporter takes"}
        panel.plot([steps for steps, _ in taken], heights, "o", **ring)
        fixed = [row for row in found if str(row["free"]) == "False"]
        _logarithmic(panel, "steps", "µs a step", sorted({int(row["steps"]) for row in fixed}))
        panel.set_title(f"{cell.upper()}({units}) in TFLite, {weights}, one thread")
    return _saved(figure, panels, path)


def training_steps(rows: Rows, path: Path) -> Path:
    """Two panels, LSTM and GRU: a bar a size and peer, how many times as long as ours its training step takes."""
    figure, panels = _panels(2)
    for cell, panel in zip(("lstm", "gru"), panels, strict=True):
        found = [row for row in rows if row["cell"] == cell]
        sizes = list(dict.fromkeys(tuple(str(row[name]) for name in _SIZE) for row in found))
        for place, (library, colour) in enumerate((("keras", "#e0a100"), ("torch", "#d6492a"))):
            times = [row["times_zoo"] for row in found if row["library"] == library and row["times_zoo"] != ""]
            more = [float(value) - 1 for value in times]
            panel.barh(np.arange(len(more)) + 0.38 * place, more, 0.36, left=1, color=colour, label=library)
        panel.axvline(1, color="#0b5fa5", label="zoo")
        panel.set_yticks(np.arange(len(sizes)) + 0.19, [", ".join(size) for size in sizes], fontsize=7)
        panel.set(xscale="log", xlabel="times as long as ours", ylabel="B, T, D, H")
        panel.invert_yaxis()
        _plain_ticks(panel.xaxis)
        panel.set_title(f"{cell.upper()}, a training step")
    return _saved(figure, panels, path)


def score_by_size(rows: Rows, path: Path) -> Path:
    """A panel a data set and metric: test score against bytes of the file, a point a model and format."""
    rows = [row for row in rows if row["metric"] and row["bytes"] != ""]
    tasks = dict.fromkeys((str(row["model"]).partition(".")[2], str(row["metric"])) for row in rows)
    figure, panels = _panels(min(3, len(tasks)), -(-len(tasks) // 3))
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    for (tag, metric), panel in zip(tasks, panels, strict=False):
        found = [row for row in rows if (str(row["model"]).partition(".")[2], row["metric"]) == (tag, metric)]
        _points(panel, found)
        panel.set(title=tag, xlabel="KiB", ylabel=_called(metric))
        panel.set_xscale("log")
        panel.margins(0.25, 0.2)
        _plain_ticks(panel.xaxis)
    return _saved(figure, panels, path)


def _called(name: str) -> str:
    from zoo.evaluation import metric

    return name.replace("_", " ") + (", %" if metric(name).percent else "")


def _points(panel: Any, rows: Rows) -> None:
    """The forms of one model are joined, so that the eye sees what quantisation costs."""
    from zoo.evaluation import metric

    unit = 100 if metric(str(rows[0]["metric"])).percent else 1
    heights = {row["model"]: float(row["score"]) for row in rows}
    for name in _distinct(rows, "model"):
        own = [(float(row["bytes"]) / 1024, unit * float(row["score"]), row) for row in rows if row["model"] == name]
        own.sort(key=lambda point: point[0])
        panel.plot([x for x, _, _ in own], [y for _, y, _ in own], color="#bbbbbb", linewidth=0.8, zorder=1)
        for x, y, row in own:
            title = str(row["runtime"])
            panel.plot(x, y, "o", markersize=5, color=_COLOURS.get(title), label=title, zorder=2)
        x, y, _ = own[-1]
        short = str(name).partition(".")[0]
        beyond = [height - heights[name] for other, height in heights.items() if other != name]
        below = min(beyond, key=abs, default=0.0) > 0  # away from the nearest other
        offset = (4, -11 if below else 5)
        panel.annotate(short, (x, y), xytext=offset, textcoords="offset points", fontsize=7, ha="right")
    _at_least(panel, [unit * float(row["score"]) for row in rows], 1.0 if unit == 100 else 0.02)


def _at_least(panel: Any, values: Sequence[float], span: float) -> None:
    """An axis so long that a difference nobody would notice looks like none: a point, or a fiftieth of the score."""
    middle = (min(values) + max(values)) / 2
    span = max(max(values) - min(values), span if span == 1.0 else span * abs(middle))
    panel.set_ylim(middle - 0.7 * span, middle + 0.7 * span)
    panel.ticklabel_format(axis="y", useOffset=False)


def _lines(panel: Any, rows: Rows, x: str, y: str) -> None:
    for title in _distinct(rows, "runtime"):
        found = sorted((int(row[x]), float(row[y])) for row in rows if row["runtime"] == title and row[y] != "")
        if found:
            strong = title in ("ONNX Runtime", "LiteRT")
            panel.plot(
                *zip(*found, strict=True),
                marker="o",
                markersize=4,
                linewidth=2 if strong else 1.2,
                linestyle="--" if "Keras export" in title else "-",
                color=_COLOURS.get(title),
                label=title,
                zorder=3 if strong else 4 if "Keras export" in title else 2,  # dashes show what is below them
            )


def _proportion(panel: Any, rows: Rows) -> None:
    """What would cost in proportion, through the first point of our ONNX file."""
    ours = [(int(row["value"]), float(row["p50_ms"])) for row in rows if row["runtime"] == "ONNX Runtime"]
    (x, y), (end, _) = ours[0], ours[-1]
    panel.plot([x, end], [y, y * end / x], color="#999999", linewidth=0.8, linestyle=":", label="in proportion")


def _logarithmic(panel: Any, x: str, y: str, ticks: Sequence[int]) -> None:
    panel.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.minorticks_off()
    _plain_ticks(panel.yaxis)


def _plain_ticks(axis: Any) -> None:
    """1, 2, 5, 10 … in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _panels(columns: int, lines: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * columns + 0.2, 3.5 * lines + 0.7), layout="constrained")
    return figure, list(figure.subplots(lines, columns, squeeze=False).ravel())


def _saved(figure: Any, panels: Sequence[Any], path: Path) -> Path:
    """One legend for all panels, below them."""
    entries = {
        label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    order = list(dict.fromkeys(label for label in (*_COLOURS, *entries) if label in entries))
    columns = min(len(order), 2 * len(panels) if len(panels) < 3 else 6)
    figure.legend(
        [entries[label] for label in order], order, loc="outside lower center", ncols=columns, fontsize=8, frameon=False
    )
    for panel in panels:
        panel.grid(alpha=0.25)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    figure.savefig(path, dpi=130)
    return path


def _counted(count: Any, what: str) -> str:
    return f"{count} {what}" if str(count) == "1" else f"{count} {what}s"


def _distinct(rows: Rows, name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))
