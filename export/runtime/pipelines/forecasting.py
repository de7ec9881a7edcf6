"""The past rows of a table to its next rows."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import picture
from export.runtime.executor import Executor
from export.runtime.pipelines.base import Pipeline
from zoo.errors import InvalidInput
from zoo.features import tables, windows
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Forecast:
    """One row ahead: `row` counts the rows of the table from 1, `when` is its date where the table has dates.

    `truth` holds what the table says of that row, where it goes on so far.
    """

    row: int
    when: str | None
    values: dict[str, float]
    truth: dict[str, float] | None

    def cells(self) -> tuple[str, ...]:
        return self.when or str(self.row), *(f"{value:.4g}" for value in self.values.values())


class Forecasting(Pipeline):
    """Forecasts every column of a table: a csv with the columns' names on top, or an array [row, column].

    The forecast follows the last row, or row `at(row)`: then the rows behind it are the truth to hold it against.
    Raises InvalidInput for a missing column, fewer rows than the model looks back on, a cell that is no number, or
    dates that are not one step apart.
    """

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        super().__init__(spec, executor)
        self.names = tuple(spec.config["columns"])
        self.look_back, self.horizon = spec.config["look_back"], spec.config["horizon"]
        self.hours = spec.config["hours"]
        self.COLUMNS = ("row", *self.names)
        self.RIGHT = self.names
        self.row: int | None = None

    def at(self, row: int) -> "Forecasting":
        found = copy.copy(self)
        found.row = row
        return found

    def __call__(self, raw: Any) -> list[Forecast]:
        source, values, dates = self._read(raw)
        row = self._start(source, len(values))
        output = self.executor.run({self.spec.signature.input_names[0]: values[row - self.look_back : row][None]})
        forecast, truth = output["forecast"][0], values[row : row + self.horizon]
        return [
            Forecast(
                row + step + 1,
                moment(dates, row, step, self.hours),
                self._named(forecast[step]),
                self._named(truth[step]) if step < len(truth) else None,
            )
            for step in range(self.horizon)
        ]

    def plot(self, raw: Any, answers: Sequence[Forecast], path: Path) -> None:
        """One panel a column: the past, the forecast and, where the table goes on, the truth."""
        source, values, dates = self._read(raw)
        figure, panels = picture.axes(len(self.names), height=1.3, sharex=True)
        start = answers[0].row - 1
        first, unit = start - self.look_back, self.spec.signature.inputs[0].unit
        past: Any = dates[first:start] if dates else range(first + 1, start + 1)
        ahead = [datetime.fromisoformat(answer.when) if answer.when else answer.row for answer in answers]
        for index, (name, panel) in enumerate(zip(self.names, panels, strict=True)):
            panel.plot(past, values[first:start, index], color="0.35", label="history")
            known = [answer.truth[name] for answer in answers if answer.truth]
            panel.plot(ahead[: len(known)], known, color="0.35", linestyle=":", label="truth" if known else None)
            panel.plot(ahead, [answer.values[name] for answer in answers], color="tab:blue", label="forecast")
            panel.axvline(past[-1] + (ahead[0] - past[-1]) / 2, color="0.8", linewidth=0.8)
            panel.set_ylabel(_with_unit(name, unit))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=3, frameon=False)
        panels[0].set_title(f"{self.spec.name}: {Path(source).name}, {_title(answers)}", fontsize=10)
        picture.label_rows(panels[-1], bool(dates))
        picture.save(figure, path)

    def _read(self, raw: Any) -> tuple[str, np.ndarray, list[datetime] | None]:
        if isinstance(raw, str | Path):
            table = tables.read(raw)
            return table.source, table.numbers(self.names), tables.moments(table, self.hours)
        array = windows.array(raw)
        if array.ndim != 2 or array.shape[1] != len(self.names):
            raise InvalidInput(
                f"{self.spec.name} takes rows [row, column] of the columns {', '.join(self.names)}; "
                f"this input has shape {list(array.shape)}."
            )
        return "the array", array, None

    def _start(self, source: str, rows: int) -> int:
        return start(self.spec.name, source, rows, self.row, self.look_back)

    def _named(self, row: np.ndarray) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.names, row, strict=True)}


def start(model: str, source: str, rows: int, asked: int | None, look_back: int) -> int:
    """The last row the model sees. Raises InvalidInput if it is not there or too few rows come before it."""
    row = rows if asked is None else asked
    if row > rows or row < 1:
        raise InvalidInput(f"{source} has rows 1 to {rows}: no forecast can follow row {row}.")
    if row < look_back:
        raise InvalidInput(f"{model} looks back on {look_back} rows; {source} has {row} up to where it starts.")
    return row


def moment(dates: Sequence[datetime] | None, row: int, step: int, hours: float) -> str | None:
    """The date of the row `step` rows after the first that follows row `row`. Raises InvalidInput beyond year 9999."""
    if not dates:
        return None
    ahead = hours * (step + 1)
    try:
        return str(dates[row - 1] + timedelta(hours=ahead))
    except OverflowError as error:
        raise InvalidInput(
            f"Row {row} has the date {dates[row - 1]}; {ahead:g} h later is beyond the year 9999. Check the dates."
        ) from error


def _with_unit(name: str, units: str) -> str:
    """The column with its unit, where the card's text on the units of all columns gives it one.

    >>> [_with_unit(name, "LULL (load), OT (oil temperature, °C)") for name in ("LULL", "OT")]
    ['LULL', 'OT, °C']
    """
    found = re.search(rf"\b{re.escape(name)} \([^()]*, ([^(),]+)\)", units)
    return f"{name}, {found[1]}" if found else name


def _title(answers: Sequence[Any]) -> str:
    return f"{answers[0].when or f'row {answers[0].row}'} to {answers[-1].when or f'row {answers[-1].row}'}"
