"""Tables from disk: a csv with a header, one row a step, as columns of text."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from zoo.errors import InvalidInput


@dataclass(frozen=True)
class Table:
    """`columns` by name, every cell as text; `source` is what errors call it."""

    source: str
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def upto(self, row: int) -> "Table":
        """Its first rows."""
        return Table(self.source, {name: cells[:row] for name, cells in self.columns.items()})

    def require(self, names: Sequence[str]) -> None:
        """Raises InvalidInput for a column that is not there."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise InvalidInput(
                f"{self.source} has no column {missing[0]!r}; it has {', '.join(self.columns)}. "
                f"The model reads {', '.join(names)}."
            )

    def numbers(self, names: Sequence[str]) -> np.ndarray:
        """The columns as float32 [T, columns]. Raises InvalidInput for one missing, or a cell that is no number."""
        self.require(names)
        return np.array([self._numbers(name) for name in names], "float32").T

    def _numbers(self, name: str) -> list[float]:
        return [_number(self.source, name, row, cell) for row, cell in enumerate(self.columns[name], 1)]


def read(path: str | Path) -> Table:
    """The csv file at `path`. Raises InvalidInput if it is missing, no csv, without a row, or not rectangular."""
    path = Path(path)
    if path.suffix != ".csv":
        raise InvalidInput(f"{path} is not a .csv file: save the table as one, with the names of its columns on top.")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    try:
        lines = [line for line in csv.reader(io.StringIO(path.read_text("utf-8-sig"))) if line]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    if len(lines) < 2:
        raise InvalidInput(f"{path} holds {len(lines)} lines: it needs the names of its columns and rows below them.")
    header = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:], 1):
        if len(line) != len(header):
            raise InvalidInput(f"{path} row {number} has {len(line)} cells, its header has {len(header)}.")
    return Table(str(path), dict(zip(header, zip(*lines[1:], strict=True), strict=True)))


def _number(source: str, name: str, row: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(
            f"{source} row {row} holds {cell!r} in column {name!r}, which is not a number. Fill such cells first."
        )
    return value


def moments(table: Table, hours: float) -> list[datetime] | None:
    """When each row was, from a column `date` or from `year`, `month`, `day`, `hour`; None if the table has neither.

    Raises InvalidInput for a date that cannot be read, and for a step that is not `hours`.
    """
    found = _moments(table)
    for row, (before, after) in enumerate(zip(found or (), (found or ())[1:], strict=False), 1):
        step = (after - before).total_seconds() / 3600
        if step != hours:
            raise InvalidInput(
                f"{table.source} rows {row} and {row + 1} are {step:g} h apart; the model reads rows {hours:g} h apart."
            )
    return found


def _moments(table: Table) -> list[datetime] | None:
    parts = ("year", "month", "day", "hour")
    if "date" in table.columns:
        return [_date(table.source, row, cell) for row, cell in enumerate(table.columns["date"], 1)]
    if not set(parts) <= table.columns.keys():
        return None
    rows = zip(*(table.columns[name] for name in parts), strict=True)
    return [_date(table.source, row, _written(*cells)) for row, cells in enumerate(rows, 1)]


def _written(year: str, month: str, day: str, hour: str) -> str:
    return f"{year}-{month:0>2}-{day:0>2} {hour:0>2}:00"


def _date(source: str, row: int, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"{source} row {row} has the date {text!r}; write it as 2016-07-01 00:00:00.") from error
