"""The picture of an inspection: the input on top, every signal below it, on one axis of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InvalidInput, MissingDependency

if TYPE_CHECKING:
    from zoo.inspection.inspect import Inspection

LINES, FEATURES = 6, 12  # up to so many units and features are lines, more are rows of a map
FORMATS = (".png", ".svg", ".pdf")
STATES = ("cell_state", "hidden_state", "candidate")


@dataclass(frozen=True)
class Axis:
    """Which example is drawn, and what its steps are called."""

    example: int
    words: Sequence[str] | None
    sample_rate: float | None
    unit: str


def draw(found: "Inspection", path: Path, axis: Axis) -> Path:
    """Writes the picture and returns its path."""
    if path.suffix not in FORMATS:
        raise InvalidInput(f"{path} names no picture: end it in {', '.join(FORMATS)}.")
    if axis.words is not None and len(axis.words) != found.inputs.shape[1]:
        raise InvalidInput(f"{len(axis.words)} words do not fit an input of {found.inputs.shape[1]} steps.")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("Pictures need matplotlib: pip install 'recurrent-zoo[plot]'.") from error
    columns = [found.signals, found.backward] if found.backward else [found.signals]
    rows = 1 + len(found.signals)
    figure = Figure(figsize=(9.5 if len(columns) == 1 else 14, 1.4 + 1.3 * rows), layout="constrained")
    grid = figure.subplots(
        rows, len(columns), sharex=True, squeeze=False, height_ratios=[0.8 if axis.words else 1.4] + [1] * (rows - 1)
    )
    for column, signals in enumerate(columns):
        _column(grid[:, column], found, signals, axis)
    figure.suptitle(_title(found, axis), fontsize=12)
    figure.savefig(path, dpi=110)
    return path


def _title(found: "Inspection", axis: Axis) -> str:
    """What is drawn, and how to read it."""
    what = f"units {', '.join(map(str, found.units))}"
    if len(found.units) > LINES:
        what = f"{len(found.units)} units, a row each; units that act alike side by side"
    lines = axis.words is None and np.prod(found.inputs.shape[2:]) <= FEATURES
    unit = f"\ninput in {axis.unit}" if axis.unit and lines else ""
    return f"{found.layer}: {found.cell}, {what}{unit}"


def _column(panels: Any, found: "Inspection", signals: dict[str, np.ndarray], axis: Axis) -> None:
    """One direction: its input, then a panel a signal."""
    steps = found.inputs.shape[1]
    end = steps / axis.sample_rate if axis.sample_rate and axis.words is None else float(steps)
    _input(panels[0], found.inputs[axis.example], end, axis)
    if found.backward:
        direction = "forward, reads left to right" if signals is found.signals else "backward, reads right to left"
        panels[0].set_title(direction, fontsize=10, pad=20)
    one = {name: _without_masked(values[axis.example], found, axis.example) for name, values in signals.items()}
    order = _alike(one["hidden_state"])
    for panel, (name, values) in zip(panels[1:], one.items(), strict=True):
        if len(found.units) <= LINES:
            whole = values.shape[1] != len(found.units)  # a state of another width than the hidden state
            _lines(panel, name, values, end, range(values.shape[1]) if whole else found.units)
        else:
            _map(panel, name, values[:, order if values.shape[1] == len(order) else _alike(values)], end)
        panel.set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center")
    if len(found.units) <= LINES:
        _legend(panels[1], "unit")
    panels[-1].set_xlim(0, end)
    panels[-1].set_xlabel(_step(found.inputs, axis))


def _step(inputs: np.ndarray, axis: Axis) -> str:
    """What the axis of time counts."""
    if axis.words is not None:
        return "character" if all(len(word) <= 1 for word in axis.words) else "word"
    if axis.sample_rate:
        return "seconds"
    return "sample" if inputs[0].size == len(inputs[0]) else "step"


def _without_masked(values: np.ndarray, found: "Inspection", example: int) -> np.ndarray:
    """values [T, units], NaN where the step was masked."""
    values = values.astype("float64")
    if found.mask is not None:
        values[~found.mask[example]] = np.nan
    return values


def _alike(values: np.ndarray) -> np.ndarray:
    """An order of the units that puts those of similar course side by side: their angle in the plane of the two
    strongest courses over time (singular vectors)."""
    strength = np.linalg.svd(np.nan_to_num(values), full_matrices=False)[2][:2]
    return np.argsort(np.arctan2(strength[-1], strength[0]), kind="stable")


def _input(panel: Any, x: np.ndarray, end: float, axis: Axis) -> None:
    """A line a feature, or beyond `FEATURES` a row, each from its lowest (white) to its highest (black); or the words,
    each above its step."""
    panel.set_ylabel("input", rotation=0, ha="right", va="center")
    if axis.words is not None:
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
        for step, word in enumerate(axis.words):
            panel.text(step + 0.5, 0.06, word, rotation=90, ha="center", va="bottom", fontsize=9)
        return
    x = x.reshape(len(x), -1)
    if x.shape[1] > FEATURES:
        low, high = x.min(0), x.max(0)
        rows = (x - low) / np.where(high > low, high - low, 1)
        panel.imshow(rows.T, aspect="auto", interpolation="nearest", extent=(0, end, x.shape[1], 0), cmap="Greys")
        panel.set_ylabel(f"input,\n{x.shape[1]} features", rotation=0, ha="right", va="center")
        panel.set_yticks([])
        return
    panel.plot(_middles(len(x), end), x, linewidth=1, label=[str(index) for index in range(x.shape[1])])
    if x.shape[1] > 1:
        _legend(panel, "feature")


def _legend(panel: Any, title: str) -> None:
    """Above the panel, on one line, so that every panel keeps the same width."""
    handles, labels = panel.get_legend_handles_labels()
    head = panel.plot([], [], " ")[0]
    legend = panel.legend(
        [head, *handles],
        [title, *labels],
        fontsize=8,
        ncols=len(labels) + 1,
        loc="lower right",
        bbox_to_anchor=(1.005, 0.98),
        frameon=False,
        handlelength=1.2,
        columnspacing=0.9,
    )
    legend.set_in_layout(False)  # one that is wider than its panel would make every panel narrower


def _middles(steps: int, end: float) -> np.ndarray:
    return (np.arange(steps) + 0.5) * end / steps


def _lines(panel: Any, name: str, values: np.ndarray, end: float, units: Sequence[int]) -> None:
    panel.plot(_middles(len(values), end), values, linewidth=1.3, label=[str(unit) for unit in units])
    if name in STATES:
        panel.axhline(0, color="grey", linewidth=0.6)
    else:
        panel.set_ylim(-0.04, 1.04)
        panel.set_yticks([0, 0.5, 1], ["closed 0", "0.5", "open 1"], fontsize=8)


def _map(panel: Any, name: str, values: np.ndarray, end: float) -> None:
    """Units as rows: a gate from closed (white) to open (black), a state blue below zero and red above."""
    sizes = np.abs(values[np.isfinite(values)])  # none where every step was masked
    largest = max(
        float(np.percentile(sizes, 99)) if sizes.size else 0, 1e-6
    )  # so that one unit does not pale the others
    colours, low, high = ("RdBu_r", -largest, largest) if name in STATES else ("Greys", 0.0, 1.0)
    extent = (0, end, values.shape[1], 0)
    image = panel.imshow(
        values.T, aspect="auto", interpolation="nearest", extent=extent, cmap=colours, vmin=low, vmax=high
    )
    panel.set_yticks([])
    panel.set_facecolor("wheat")  # seen where a step was masked
    beyond = "both" if sizes.max(initial=0) > high else "neither"
    bar = panel.figure.colorbar(image, ax=panel, fraction=0.02, pad=0.008, extend=beyond)
    bar.ax.tick_params(labelsize=8)
    if name not in STATES:
        bar.set_ticks([0, 1], labels=["closed", "open"])
