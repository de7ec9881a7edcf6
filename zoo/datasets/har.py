"""UCI HAR: six activities from the accelerometer and gyroscope of a phone at the waist, 30 subjects.

Windows of 128 steps at 50 Hz (2.56 s, half overlapping), nine channels: body acceleration x, y, z and total
acceleration x, y, z in g, angular velocity x, y, z in rad/s. Official split by subject: 21 train, 9 test.
Validation: the windows of `VALIDATION_SUBJECTS`, taken out of the training subjects.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.spec import DatasetRef

CHANNELS = tuple(
    f"{signal}_{axis}" for signal in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
)  # the order of the last axis
LABELS = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
VALIDATION_SUBJECTS = (5, 17, 28)
REMOTE = RemoteFile(
    "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
    "c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
)
MIRROR = ("har", "uci_har_inertial.npz", "ab1a8b4051e6f9c8f72b485de794af0df99f06289cf812ac4fd82c506c372ecf")


def load() -> Splits:
    """x float32 [N, 128, 9]; y int32 [N], an index into `LABELS`; groups int32 [N], the subject 1 to 30."""
    mirror = mirrored(*MIRROR)
    train, test = _from_mirror(mirror) if mirror else _from_upstream(download(REMOTE))
    assert train.groups is not None
    held_out = np.isin(train.groups, VALIDATION_SUBJECTS)
    return Splits(train.take(~held_out), train.take(held_out), test)


def _from_mirror(path: Path) -> tuple[Split, Split]:
    with np.load(path, allow_pickle=False) as file:
        return tuple(
            _split(file[f"x_{part}"], file[f"y_{part}"], file[f"subject_{part}"]) for part in ("train", "test")
        )  # type: ignore[return-value]


def _from_upstream(path: Path) -> tuple[Split, Split]:
    """The published archive: a zip within a zip, one text file a channel."""
    with zipfile.ZipFile(path) as outer, zipfile.ZipFile(io.BytesIO(outer.read("UCI HAR Dataset.zip"))) as inner:

        def table(file: str) -> np.ndarray:
            return np.loadtxt(io.BytesIO(inner.read(f"UCI HAR Dataset/{file}")), dtype="float32")

        def part(name: str) -> Split:
            signals = [table(f"{name}/Inertial Signals/{channel}_{name}.txt") for channel in CHANNELS]
            return _split(np.stack(signals, -1), table(f"{name}/y_{name}.txt"), table(f"{name}/subject_{name}.txt"))

        return part("train"), part("test")


def _split(x: np.ndarray, y: np.ndarray, subjects: np.ndarray) -> Split:
    return Split(x.astype("float32"), y.astype("int32") - 1, subjects.astype("int32"))


DATASET = Dataset(
    DatasetRef(
        name="har",
        title="Human Activity Recognition Using Smartphones (UCI HAR)",
        url="https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones",
        licence="CC BY 4.0 at UCI; the bundled note prohibits commercial use, so treat it as non-commercial",
        citation="Anguita, Ghio, Oneto, Parra, Reyes-Ortiz: A Public Domain Dataset for Human Activity Recognition "
        "Using Smartphones, ESANN 2013",
    ),
    LABELS,
    load,
)
