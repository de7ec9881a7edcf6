"""Electricity transformer temperature: six loads and the oil temperature of two transformers over two years.

Windows of 96 rows (the look-back) and the `horizon` rows that follow, starting at every row. The usual split by time:
12 months of 30 days train, 4 validation, 4 test; a validation or test window may look back into the part before it,
its targets lie in its own part. Targets are standardised with the mean and deviation of the training rows, so that
errors compare with published ones; look-backs are in the units of the file.
"""

import numpy as np

from zoo.datasets import tables
from zoo.datasets.base import Dataset, Split, Splits
from zoo.datasets.tables import Table
from zoo.spec import DatasetRef

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
LOOK_BACK = 96
MONTHS = (12, 16, 20)  # where training, validation and test end
_ADDRESS = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
TABLES = {
    "etth1": Table(
        ("ett", "ETTh1.csv.gz", "f1141f82f9d46968f05afa77ba16abfc4f790fe07583f9de06bb685b29a5411f"),
        f"{_ADDRESS}/ETTh1.csv",
        "b377b0c86431de1673ff8812d2e5492608153b62b9a8a40918ba0bf421d1ed7f",
    ),
    "ettm1": Table(
        ("ett", "ETTm1.csv.gz", "a3d8dc1454f3762c72f6a3b5c56cf852077724ec52f5316896f17c937474cde7"),
        f"{_ADDRESS}/ETTm1.csv",
        "d75ef1b9b92f15e5f86df5bea98cd5d78e85e7be94a951242c02d8ad80f2fe52",
    ),
}
ROWS_A_DAY = {"etth1": 24, "ettm1": 96}
MEAN = {  # of the training rows, in the units of the file
    "etth1": (7.937742, 2.021039, 5.079771, 0.746186, 2.781762, 0.788453, 17.128262),
    "ettm1": (7.990013, 2.038748, 5.109928, 0.756224, 2.804702, 0.791186, 17.12495),
}
DEVIATION = {
    "etth1": (5.812749, 2.090105, 5.518794, 1.926379, 1.023523, 0.630237, 9.176491),
    "ettm1": (5.833093, 2.089646, 5.519043, 1.924161, 1.040554, 0.632442, 9.173035),
}


def load(table: str, horizon: int) -> Splits:
    """x float32 [N, 96, 7] in the units of the file; y float32 [N, horizon, 7], standardised."""
    rows = np.array([row[1:] for row in tables.read(TABLES[table])[1:]], "float64")
    return windows(rows, table, horizon, 30 * ROWS_A_DAY[table])


def windows(rows: np.ndarray, table: str, horizon: int, month: int) -> Splits:
    """The splits of rows [T, 7], `month` rows a month."""
    standardised = (rows - MEAN[table]) / DEVIATION[table]
    starts = (0, *(months * month - LOOK_BACK for months in MONTHS[:-1]))
    ends = [months * month for months in MONTHS]
    return Splits(
        *(_part(rows[start:end], standardised[start:end], horizon) for start, end in zip(starts, ends, strict=True))
    )


def _part(rows: np.ndarray, standardised: np.ndarray, horizon: int) -> Split:
    """Views, not copies: the targets of the longest horizon would take 160 MB."""

    def slide(values: np.ndarray, length: int) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(values.astype("float32"), length, 0).swapaxes(1, 2)

    return Split(slide(rows[:-horizon], LOOK_BACK), slide(standardised[LOOK_BACK:], horizon))


def _dataset(table: str, horizon: int) -> Dataset:
    step = "hourly" if table == "etth1" else "every 15 minutes"
    return Dataset(
        DatasetRef(
            name=f"{table}_{horizon}",
            title=f"Electricity Transformer Temperature {table[:3].upper()}{table[3:]}, {step}, {horizon} steps ahead",
            url="https://github.com/zhouhaoyi/ETDataset",
            licence="CC BY-ND 4.0",
            citation="Zhou et al.: Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting, "
            "AAAI 2021",
        ),
        (),
        lambda: load(table, horizon),
    )


DATASETS = tuple(_dataset(*which) for which in (*(("etth1", steps) for steps in (96, 192, 336, 720)), ("ettm1", 96)))
