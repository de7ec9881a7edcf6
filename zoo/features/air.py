"""Rows of a weather station beside an air monitor, as the numbers a model reads: the same in training and serving."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.errors import InvalidInput
from zoo.features import tables

MISSING = -1.0  # in place of a concentration that was not measured: no concentration is negative
WINDS = ("NE", "NW", "SE", "cv")  # cv: calm and variable
MEASURED = ("pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir")
COLUMNS = ("month", "day", "hour", *MEASURED, "cbwd")
FEATURES = (*MEASURED, *WINDS, "sin hour", "cos hour", "sin year", "cos year")


def encode(table: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Columns of text, `COLUMNS` at least -> float32 [T, 15], in the order of `FEATURES`; a missing PM2.5 is `MISSING`.

    Raises InvalidInput for a column that is not there, or a cell that is not what its column holds, with its row.
    """
    missing = next((name for name in COLUMNS if name not in table), None)
    if missing is not None:
        raise InvalidInput(f"The table has no column {missing!r}; it needs {', '.join(COLUMNS)}.")
    measured = [_numbers(name, table[name]) for name in MEASURED]
    winds = [[float(cell == wind) for cell in _winds(table["cbwd"])] for wind in WINDS]
    month, day, hour = (_numbers(name, table[name]) for name in ("month", "day", "hour"))
    return np.stack([*measured, *winds, *_circle(hour / 24), *_circle(((month - 1) * 30.5 + day) / 366)], -1).astype(
        "float32"
    )


def _circle(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A moment of a day or year, such that its end meets its start."""
    return np.sin(2 * math.pi * share), np.cos(2 * math.pi * share)


def _numbers(name: str, cells: Sequence[str]) -> np.ndarray:
    return np.array([_number(name, row, cell) for row, cell in enumerate(cells, 1)], "float64")


def _number(name: str, row: int, cell: str) -> float:
    if name == "pm2.5" and cell.strip() in ("", "NA", "nan", "NaN"):
        return MISSING
    value = tables.number(cell)
    if value is None or not math.isfinite(value):
        raise InvalidInput(f"Row {row} holds {cell!r} in column {name!r}, which is not a number.")
    if name in tables.CALENDAR and not tables.in_calendar(name, value):
        low, high = tables.CALENDAR[name]
        raise InvalidInput(f"Row {row} holds {cell!r} in column {name!r}; it is a whole number from {low} to {high}.")
    if name == "pm2.5" and value < 0:
        raise InvalidInput(
            f"Row {row} holds {cell} in column 'pm2.5': no concentration is negative. Write NA for none."
        )
    return value


def _winds(cells: Sequence[str]) -> Sequence[str]:
    for row, cell in enumerate(cells, 1):
        if cell not in WINDS:
            raise InvalidInput(f"Row {row} holds {cell!r} in column 'cbwd'; it is one of {', '.join(WINDS)}.")
    return cells
