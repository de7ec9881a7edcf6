"""Recordings from disk and windows from recordings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX

from zoo.errors import InvalidInput
from zoo.features import tables


def array(raw: Any) -> np.ndarray:
    """What `read` finds in the file of that name, or `raw` as an array.

    Raises InvalidInput for what `read` refuses, and rows of several lengths.

    >>> array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if isinstance(raw, str | Path):
        return read(raw)
    try:
        return np.asarray(raw)
    except ValueError as error:
        raise InvalidInput("This input is ragged; its rows must have one length. Pad or split them.") from error


def read(path: str | Path) -> np.ndarray:
    """The array in a `.npy` file, or the rows of a `.csv` file (one step a row).

    A first line of which no cell is a number is a header, and skipped. Raises InvalidInput for another kind of file,
    one that is missing, empty or not rectangular, or a cell that is not a number, with its line.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".npy", ".csv"):
        raise InvalidInput(f"{path} is neither .npy nor .csv: save the array as one of these.")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path} is empty: it should hold one row of numbers a step.")
    return _read_npy(path) if kind == ".npy" else _read_csv(path)


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        begins = file.read(len(MAGIC_PREFIX))
    if begins != MAGIC_PREFIX:  # numpy.load would take it for a pickle, and advise to load that unsafely
        raise InvalidInput(f"{path} holds no NumPy array. Save one with numpy.save.")
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError, OSError, MemoryError) as error:
        if "Object arrays" in str(error):
            raise InvalidInput(f"{path} holds Python objects: save rows of numbers, all of one length.") from error
        raise InvalidInput(f"{path} is not a NumPy array file ({error}). Save it with numpy.save.") from error


def _read_csv(path: Path) -> np.ndarray:
    rows = [(number, line) for number, line in enumerate(tables.lines(path), 1) if line]
    if rows and all(tables.number(cell) is None for cell in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise InvalidInput(f"{path} has no row of numbers: it should hold one row a step.")
    return np.array([_numbers(path, number, line, len(rows[0][1])) for number, line in rows], "float32")


def _numbers(path: Path, number: int, line: Sequence[str], width: int) -> list[float]:
    if len(line) != width:
        raise InvalidInput(f"{path} line {number} has {len(line)} columns, the first row has {width}.")
    return [_cell(path, number, cell) for cell in line]


def _cell(path: Path, number: int, cell: str) -> float:
    value = tables.number(cell)
    if value is None:
        raise InvalidInput(f"{path} line {number} holds {cell!r}, which is not a number.")
    return value


def cut(recording: np.ndarray, length: int) -> tuple[np.ndarray, list[int]]:
    """Windows [N, length, F] over a recording [T, F], half overlapping, and the step each starts at.

    A recording no longer than `length` is one window as it is. The last window ends with the recording.

    >>> windows, starts = cut(np.zeros((300, 9)), 128)
    >>> windows.shape, starts
    ((4, 128, 9), [0, 64, 128, 172])
    """
    last = len(recording) - length
    if last <= 0:
        return recording[None], [0]
    starts = [*range(0, last, length // 2), last]
    return np.stack([recording[start : start + length] for start in starts]), starts
