"""Inputs that nobody measured, shaped like what the models of series were trained on: for notebooks and first tries.

NumPy only, the same numbers every time.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

_BEAT = (0, 2, 4, 6, 8, 10, 14, 20, 28, 36, 48, 60, 72, 84, 92, 100, 106, 112, 120, 128, 134, 139)  # samples
_NORMAL = (-0.4, -3.3, -3.9, -2.3, -1.2, -0.3, -0.2, -0.2, -0.5, -0.7, 0, 0.1, 0.5, 0.4, 0.4, 1.2, 1.5, 0.2)
_EARLY = (-0.1, -1.4, -2.2, -2.3, -1.8, -1.0, -0.2, 0.3, 0.3, 0.2, 0.1, 0.1, 0.3, 0.5, 0.6, 0.6, 0.7, 0.7)
_ENDS = {"normal": (-0.3, 0.1, 0.9, -0.5), "early": (0.5, -0.2, -2.8, -0.9)}


def transformer(rows: int = 240) -> dict[str, list[str]]:
    """Hourly loads and oil temperature with a day's rhythm, as columns of an ETT table.

    >>> list(transformer(2)), len(transformer(2)["OT"])
    (['date', 'HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT'], 2)
    """
    rng = np.random.default_rng(0)
    hours = np.arange(rows)
    day = np.sin(2 * math.pi * (hours - 9) / 24)
    levels = {"HUFL": (9, 4), "HULL": (2.2, 1), "MUFL": (6, 3.5), "MULL": (0.8, 0.8), "LUFL": (2.8, 0.5)}
    levels |= {"LULL": (0.8, 0.2), "OT": (16, 3)}
    start = datetime(2018, 3, 1)
    columns = {"date": [str(start + timedelta(hours=int(hour))) for hour in hours]}
    for name, (level, swing) in levels.items():
        drift = np.cumsum(rng.normal(0, 0.05 * swing, rows))
        columns[name] = _text(level + swing * day + drift + rng.normal(0, 0.15 * swing, rows))
    return columns


def air(hours: int = 144) -> dict[str, list[str]]:
    """Fine dust that gathers for days in calm air until wind sweeps it away, and the weather beside it; some hours were
    not measured."""
    rng = np.random.default_rng(1)
    moments = [datetime(2014, 1, 10) + timedelta(hours=hour) for hour in range(hours)]
    calm = (np.arange(hours) % 96) / 96
    dust = np.maximum(8 + 240 * calm**1.3 + rng.normal(0, 12, hours), 3).round().astype(int)
    cells = [str(value) for value in dust]
    for hour in rng.choice(hours, hours // 20, replace=False):
        cells[hour] = "NA"
    temperature = -2 + 4 * np.sin(2 * math.pi * (np.arange(hours) - 9) / 24) + 3 * calm
    return {
        **{part: [str(getattr(moment, part)) for moment in moments] for part in ("year", "month", "day", "hour")},
        "pm2.5": cells,
        "DEWP": _text(-20 + 12 * calm),
        "TEMP": _text(temperature),
        "PRES": _text(1034 - 10 * calm),
        "cbwd": ["NW" if share < 0.2 else "SE" for share in calm],
        "Iws": _text(np.where(calm < 0.2, 60 * calm / 0.2, 10 * (calm - 0.2))),
        "Is": ["0"] * hours,
        "Ir": ["0"] * hours,
    }


def heartbeats() -> np.ndarray:
    """Three beats [3, 140], z-normalised: two like the normal beats of ECG5000, then one that comes too early."""
    rng = np.random.default_rng(2)
    knots = [(*_NORMAL, *_ENDS["normal"])] * 2 + [(*_EARLY, *_ENDS["early"])]
    beats = np.stack([np.interp(np.arange(140), _BEAT, values) for values in knots]) + rng.normal(0, 0.05, (3, 140))
    return ((beats - beats.mean(1, keepdims=True)) / beats.std(1, keepdims=True)).astype("float32")


def write(columns: Mapping[str, Sequence[str]], path: Path) -> Path:
    """The columns as a csv file with their names on top."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


def _text(values: np.ndarray) -> list[str]:
    return [f"{value:.3f}" for value in values]
