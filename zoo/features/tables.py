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

CALENDAR = {"year": (1, 9999), "month": (1, 12), "day": (1, 31), "hour": (0, 23)}


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
    """The csv file at `path`.

    Raises InvalidInput if it is missing, no csv, without a row, not rectangular, or has two columns of one name.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise InvalidInput(f"{path} is not a .csv file: save the table as one, with the names of its columns on top.")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    filled = [line for line in lines(path) if line]
    if len(filled) < 2:
        raise InvalidInput(f"{path} holds {len(filled)} lines: it needs the names of its columns and rows below them.")
    header, *rows = filled
    names = _names(path, header)
    for row, line in enumerate(rows, 1):
        if len(line) != len(names):
            raise InvalidInput(f"{path} row {row} has {len(line)} cells, its header has {len(names)}.")
    return Table(str(path), dict(zip(names, zip(*rows, strict=True), strict=True)))


def _names(path: Path, header: Sequence[str]) -> list[str]:
    names = [name.strip() for name in header]
    twice = next((name for name in names if name and names.count(name) > 1), None)  # without a name none is read
    if twice is not None:
        raise InvalidInput(f"{path} has {names.count(twice)} columns named {twice!r}: rename or remove all but one.")
    return names


def lines(path: Path) -> list[list[str]]:
    """The cells of every line of a csv file, none for an empty line.

    Raises InvalidInput for what is not UTF-8, no csv, or separated by semicolons.
    """
    try:
        reader = csv.reader(io.StringIO(path.read_text("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    try:
        found = list(reader)
    except csv.Error as error:
        raise InvalidInput(
            f"{path} is not a csv file ({error}, at line {reader.line_num}). Look for a quotation mark that is never "
            "closed."
        ) from error
    first = [line for line in found if line][:2]
    if first and len(first[0]) == 1 and all(";" in ",".join(line) for line in first):
        raise InvalidInput(f"{path} separates its cells by semicolons: save it with commas, its numbers with points.")
    return found


def number(cell: str) -> float | None:
    """The number a cell holds, None if it holds none.

    >>> number(" -4e-1 "), number("four"), number("3_0")
    (-0.4, None, None)
    """
    try:
        return None if "_" in cell else float(cell)  # Python reads 3_0 as 30, no other program does
    except ValueError:
        return None


def _number(source: str, name: str, row: int, cell: str) -> float:
    value = number(cell)
    if value is None or not math.isfinite(value):
        raise InvalidInput(
            f"{source} row {row} holds {cell!r} in column {name!r}, which is not a number. Fill such cells first."
        )
    return value


def moments(table: Table, hours: float) -> list[datetime] | None:
    """When each row was, from a column `date` or from `year`, `month`, `day`, `hour`; None if the table has neither.

    Raises InvalidInput for a date that cannot be read, for dates of which only some have a UTC offset, and for a step
    that is not `hours`.
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
    if "date" in table.columns:
        return _dates(table.source, table.columns["date"])
    if not table.columns.keys() >= CALENDAR.keys():
        return None
    rows = zip(*(table.columns[name] for name in CALENDAR), strict=True)
    return [_hour(table.source, row, cells) for row, cells in enumerate(rows, 1)]


def _dates(source: str, cells: Sequence[str]) -> list[datetime]:
    dates = [_date(source, row, cell) for row, cell in enumerate(cells, 1)]
    for row, date in enumerate(dates, 1):
        if (date.tzinfo is None) != (dates[0].tzinfo is None):
            raise InvalidInput(
                f"{source} row 1 has the date {cells[0]!r} and row {row} {cells[row - 1]!r}: write a UTC offset in all "
                "rows or in none."
            )
    return dates


def _date(source: str, row: int, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"{source} row {row} has the date {text!r}; write it as 2016-07-01 00:00:00.") from error


def _hour(source: str, row: int, cells: Sequence[str]) -> datetime:
    year, month, day, hour = (_part(source, row, name, cell) for name, cell in zip(CALENDAR, cells, strict=True))
    try:
        return datetime(year, month, day, hour)
    except ValueError as error:
        raise InvalidInput(
            f"{source} row {row} holds day {day} of month {month} in year {year}: there is no such day."
        ) from error


def _part(source: str, row: int, name: str, cell: str) -> int:
    value = _number(source, name, row, cell)
    if not in_calendar(name, value):
        low, high = CALENDAR[name]
        raise InvalidInput(
            f"{source} row {row} holds {cell!r} in column {name!r}; it is a whole number from {low} to {high}."
        )
    return int(value)


def in_calendar(name: str, value: float) -> bool:
    """Whether a year, month, day or hour can have that value.

    >>> in_calendar("hour", 23), in_calendar("hour", 24), in_calendar("month", 1.5)
    (True, False, False)
    """
    low, high = CALENDAR[name]
    return low <= value <= high and value == int(value)
