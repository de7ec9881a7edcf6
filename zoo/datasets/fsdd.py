"""Free Spoken Digit Dataset: the digits 0 to 9 from six speakers, 50 takes each, 8 kHz, trimmed (0.14 to 2.3 s).

Official split by take: 0 to 4 are the test split. Validation: the takes `VALIDATION_TAKES`, taken out of the training
takes. The speakers are the same in all parts; `without` makes the splits whose test speaker is nowhere else.
"""

import dataclasses
import re

import numpy as np

from zoo.datasets import recordings
from zoo.datasets.base import Dataset, RemoteFile, Split, Splits
from zoo.errors import unknown_name
from zoo.spec import DatasetRef

RATE = 8000
LABELS = tuple("0123456789")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TEST_TAKES, VALIDATION_TAKES = range(5), range(5, 10)
REMOTE = RemoteFile("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip", None)
MIRROR = ("fsdd", "recordings.zip", "8e1e44a06ea9d154aa314276028b6851cdf0bead7ad196db67b9aadb78191e05")
RECORDINGS = "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"
_NAME = re.compile(r".*recordings/((\d)_([a-z]+)_(\d+)\.wav)")


@dataclasses.dataclass(frozen=True)
class Takes:
    """Every recording: waves float32 [S]; digit, speaker (an index into `SPEAKERS`) and number of the take [N]."""

    waves: list[np.ndarray]
    digit: np.ndarray
    speaker: np.ndarray
    number: np.ndarray

    def split(self, chosen: np.ndarray) -> Split:
        """x float32 [N, samples of the longest, 1], zeros behind a shorter one; y int32 [N]; groups int32 [N]."""
        (rows,) = np.nonzero(chosen)
        x = recordings.padded([self.waves[row] for row in rows])
        return Split(x, self.digit[rows], self.speaker[rows])


def takes() -> Takes:
    def wanted(path: str) -> str | None:
        found = _NAME.fullmatch(path)
        return found and found[1]

    waves = recordings.waves(recordings.fetch(MIRROR, REMOTE, wanted, RECORDINGS), RATE)
    parts = [name.removesuffix(".wav").split("_") for name in waves]
    digit, number = (np.array([int(part[place]) for part in parts], "int32") for place in (0, 2))
    speaker = np.array([SPEAKERS.index(part[1]) for part in parts], "int32")
    return Takes(list(waves.values()), digit, speaker, number)


def load() -> Splits:
    found = takes()
    test, validation = np.isin(found.number, TEST_TAKES), np.isin(found.number, VALIDATION_TAKES)
    return Splits(found.split(~test & ~validation), found.split(validation), found.split(test))


def without(speaker: str) -> Dataset:
    """The data set whose test split is every take of `speaker`, who is in no other part.

    Raises UnknownName with the speakers there are.
    """
    if speaker not in SPEAKERS:
        raise unknown_name("speaker", speaker, SPEAKERS, f"The speakers are {', '.join(SPEAKERS)}.")

    def load() -> Splits:
        found = takes()
        test = found.speaker == SPEAKERS.index(speaker)
        validation = np.isin(found.number, VALIDATION_TAKES)
        return Splits(found.split(~test & ~validation), found.split(~test & validation), found.split(test))

    return dataclasses.replace(DATASET, load=load)


DATASET = Dataset(
    DatasetRef(
        name="fsdd",
        title="Free Spoken Digit Dataset",
        url="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        citation="Z. Jackson et al.: Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401",
    ),
    LABELS,
    load,
)
