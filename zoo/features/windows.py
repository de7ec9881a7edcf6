"""Recordings from disk and windows from recordings."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.errors import InvalidInput


def read(path: str | Path) -> np.ndarray:
    """The array in a `.npy` file, or the rows of a `.csv` file (one step a row, a header line is skipped).

    Raises InvalidInput for another kind of file, one that is missing, empty or not rectangular, or a cell that is not
    a number, with its line.
    """
    path = Path(path)
    if path.suffix not in (".npy", ".csv"):
        raise InvalidInput(f"{path} is neither .npy nor .csv: save the recording [time, feature] as one of these.")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path} is empty: it should hold one row of numbers a step.")
    return _read_npy(path) if path.suffix == ".npy" else _read_csv(path)


def _read_npy(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise InvalidInput(f"{path} is not a NumPy array file ({error}). Save it with numpy.save.") from error


def _read_csv(path: Path) -> np.ndarray:
    try:
        lines = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    rows = [(number, line) for number, line in enumerate(lines, 1) if line]
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]
    if not rows:
        raise InvalidInput(f"{path} has no row of numbers: it should hold one row a step.")
    return np.array([_numbers(path, number, line, len(rows[0][1])) for number, line in rows], "float32")


def _numbers(path: Path, number: int, line: Sequence[str], width: int) -> list[float]:
    if len(line) != width:
        raise InvalidInput(f"{path} line {number} has {len(line)} columns, the first row has {width}.")
    wrong = next((cell for cell in line if not _is_number(cell)), None)
    if wrong is not None:
        raise InvalidInput(f"{path} line {number} holds {wrong!r}, which is not a number.")
    return [float(cell) for cell in line]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
