"""ECG5000: single heartbeats of one patient, normal or not, for anomaly detection.

Beats of 140 samples, resampled to one length and z-normalised upstream. Class 1 is normal (2,919 beats), classes 2 to 5
(2,081 beats: R-on-T, premature and unclassified beats) are anomalous. The published files split 500 to 4,500 for
classification, which leaves 292 normal beats to learn from; here, as in the tutorials on anomaly detection, the two
files are one pool, split by class with a fixed seed: of the normal beats 60 % train, 20 % validation, 20 % test; of the
anomalous beats half validation, half test. The training split holds normal beats only.
"""

import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.errors import UntrustedFile
from zoo.spec import DatasetRef

LABELS = ("normal", "anomalous")
STEPS = 140
URL = "https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip"
MIRRORS = {
    "TRAIN": ("ecg5000", "ECG5000_TRAIN.tsv.gz", "49b845555af6290e2eb0e259b4b138e5bd81000f4b7196939b16e59db6d85b1e"),
    "TEST": ("ecg5000", "ECG5000_TEST.tsv.gz", "bf56881a8fe0fa871d3b347fbf1f107e5ec41b8e271a83c95e7c31db061d6f01"),
}
CONTENT = {  # sha256 of the float32 table [beat, class and samples]: the archive is packed anew from time to time
    "TRAIN": "4443a1555dc86cf2926de0737b84d556ac3e523030e4cd1789638506f352b4ca",
    "TEST": "9b0d9b8ee807ccc700f4a2c9123c6277d5e01f5bfc504a96bbdd6887337ae05c",
}


def load() -> Splits:
    """x float32 [N, 140, 1], z-normalised voltage; y int32 [N], an index into `LABELS`; groups int32 [N], the class."""
    beats = np.concatenate([_beats(part) for part in ("TRAIN", "TEST")])
    return split(Split(beats[:, 1:, None], (beats[:, 0] != 1).astype("int32"), beats[:, 0].astype("int32")))


def split(pool: Split) -> Splits:
    """The parts described above."""
    rng = np.random.default_rng(5000)
    normal, anomalous = (rng.permutation(np.flatnonzero(pool.y == label)) for label in (0, 1))
    first, second, third = np.split(normal, [int(0.6 * len(normal)), int(0.8 * len(normal))])
    half = len(anomalous) // 2
    parts = (first, np.concatenate([second, anomalous[:half]]), np.concatenate([third, anomalous[half:]]))
    return Splits(*(pool.take(part) for part in parts))


def _beats(part: str) -> np.ndarray:
    mirror = mirrored(*MIRRORS[part])
    found = _from_mirror(mirror) if mirror else _from_upstream(download(RemoteFile(URL, None)), part)
    digest = hashlib.sha256(found.tobytes()).hexdigest()
    if digest != CONTENT[part]:
        raise UntrustedFile(f"The beats of ECG5000_{part} have sha256 {digest}, expected {CONTENT[part]}: fetch again.")
    return found


def _from_mirror(path: Path) -> np.ndarray:
    return np.loadtxt(gzip.decompress(path.read_bytes()).decode().splitlines(), "float32", delimiter="\t")


def _from_upstream(path: Path, part: str) -> np.ndarray:
    """`.ts` rows, after the line `@data`, read `sample,sample,…:class`."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(f"ECG5000_{part}.ts").decode().splitlines()
    data = next(index for index, line in enumerate(lines) if line.strip().lower() == "@data")
    rows = [line.rpartition(":") for line in lines[data + 1 :] if line.strip()]
    return np.array([[label, *samples.split(",")] for samples, _, label in rows], "float32")


DATASET = Dataset(
    DatasetRef(
        name="ecg5000",
        title="ECG5000 (UCR Time Series Classification Archive)",
        url="https://www.timeseriesclassification.com/description.php?Dataset=ECG5000",
        licence="none stated by the archive, which asks for citation; the source at PhysioNet is ODC-BY",
        citation="Dau et al.: The UCR Time Series Archive, 2018; Goldberger et al.: PhysioBank, PhysioToolkit and "
        "PhysioNet, Circulation 101(23), 2000 (BIDMC Congestive Heart Failure Database, record chf07)",
    ),
    LABELS,
    load,
)
