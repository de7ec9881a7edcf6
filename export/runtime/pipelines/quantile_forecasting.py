"""The past hours of a weather and air table to P10, P50 and P90 of the hours to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import picture
from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from export.runtime.pipelines.forecasting import moment, start
from zoo.errors import InvalidInput
from zoo.features import air, tables, windows
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Outlook:
    """One hour ahead: in 8 of 10 cases the concentration (µg/m³) lies from `p10` to `p90`, in 5 of 10 below `p50`.

    `truth` is what the table says of that row, where it goes on so far and the hour was measured.
    """

    row: int
    when: str | None
    p10: float
    p50: float
    p90: float
    truth: float | None

    def cells(self) -> tuple[str, ...]:
        return self.when or str(self.row), f"{self.p10:.0f}", f"{self.p50:.0f}", f"{self.p90:.0f}"


class QuantileForecasting(Pipeline):
    """Forecasts a concentration from a csv with the columns of `zoo.features.air`; NA says that it was not measured.

    The forecast follows the last row, or row `at(row)`: then the rows behind it are the truth to hold it against.
    Raises InvalidInput for a missing column, fewer rows than the model looks back on, a cell that is not what its
    column holds, or hours that do not follow each other.
    """

    COLUMNS = ("row", "P10", "P50", "P90")
    RIGHT = ("P10", "P50", "P90")

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        super().__init__(spec, executor)
        self.row: int | None = None

    def at(self, row: int) -> "QuantileForecasting":
        found = QuantileForecasting(self.spec, self.executor)
        found.row = row
        return found

    def __call__(self, raw: Any) -> list[Outlook]:
        source, features, dates = self._read(raw)
        config = self.spec.config
        row = start(self.spec.name, source, len(features), self.row, config["look_back"])
        history = features[row - config["look_back"] : row][None]
        if (history[..., 0] < 0).all():
            raise InvalidInput(
                f"{source}: the {config['look_back']} rows before row {row + 1} hold no measured PM2.5. "
                "At least one is needed."
            )
        quantiles = self.executor.run({self.spec.signature.input_names[0]: history})["quantiles"][0]
        truth = [None if value < 0 else float(value) for value in features[row : row + config["horizon"], 0]]
        truth += [None] * (config["horizon"] - len(truth))
        return [
            Outlook(
                row + step + 1, moment(dates, row, step, config["hours"]), float(p10), float(p50), float(p90), known
            )
            for step, ((p10, p50, p90), known) in enumerate(zip(quantiles, truth, strict=True))
        ]

    def plot(self, raw: Any, answers: Sequence[Outlook], path: Path) -> None:
        """The past, the interval, the middle and, where the table goes on, the truth."""
        source, features, dates = self._read(raw)
        figure, (panel,) = picture.axes(1, height=3.4)
        last = answers[0].row - 1
        first = last - self.spec.config["look_back"]
        past: Any = dates[first:last] if dates else range(first + 1, last + 1)
        ahead: Any = [datetime.fromisoformat(answer.when) if answer.when else answer.row for answer in answers]
        panel.plot(past, _gaps(features[first:last, 0]), color="0.35", marker=".", markersize=4, label="history")
        if any(answer.truth is not None for answer in answers):
            truth = [np.nan if answer.truth is None else answer.truth for answer in answers]
            panel.plot(ahead, truth, color="black", linestyle=":", marker=".", markersize=4, label="truth")
        panel.fill_between(
            ahead, [a.p10 for a in answers], [a.p90 for a in answers], alpha=0.3, label="P10 to P90", linewidth=0
        )
        panel.plot(ahead, [answer.p50 for answer in answers], color="tab:blue", label="P50")
        panel.axvline(past[-1] + (ahead[0] - past[-1]) / 2, color="0.8", linewidth=0.8)
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower right", ncols=4, frameon=False)
        panel.set(ylabel="PM2.5, µg/m³", ylim=(0, None))
        picture.label_rows(panel, bool(dates))
        panel.set_title(
            f"{self.spec.name}: {Path(source).name}, from {answers[0].when or f'row {answers[0].row}'}", fontsize=10
        )
        picture.save(figure, path)

    def _read(self, raw: Any) -> tuple[str, np.ndarray, list[datetime] | None]:
        if isinstance(raw, str | Path):
            table = tables.read(raw)
            table.require(self.spec.config["columns"])
            return table.source, air.encode(table.columns), tables.moments(table, self.spec.config["hours"])
        array = windows.array(raw)
        if array.ndim != 2 or array.shape[1] != len(air.FEATURES):
            raise InvalidInput(
                f"{self.spec.name} takes a csv file, or features [row, {len(air.FEATURES)}] from "
                f"zoo.features.air.encode; this input has shape {list(array.shape)}."
            )
        return "the array", array, None


def _gaps(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, np.nan, values)
