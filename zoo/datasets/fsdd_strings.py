"""Strings of three to seven spoken digits, joined from the takes of the Free Spoken Digit Dataset.

The takes of a string are of one speaker, each at a level of its own, with gaps between them, over noise. The training
split holds the takes themselves, which a recipe joins anew every epoch; the strings of validation and test are made of
the takes of these splits alone, always the same.
"""

import dataclasses

import numpy as np

from zoo.datasets import fsdd, recordings
from zoo.datasets.base import Dataset, Split, Splits

FEWEST, MOST = 3, 7
GAP = (0.02, 0.4)  # seconds
LEVEL, PEAK = (0.4, 1.0), (0.05, 0.9)  # of a take in its string, of the string
SNR = (10.0, 40.0)  # dB


def join(rng: np.random.Generator, split: Split, count: int, length: int | None = None) -> Split:
    """`count` strings of takes of `split`, x float32 [count, S, 1], zeros behind a shorter one; y int32 [count, 7], the
    digits plus 1, zeros behind them; groups int32 [count], the speaker. With `length` a string has as many takes, up
    to 7, as fit into so many samples.
    """
    assert isinstance(split.x, np.ndarray) and split.groups is not None
    ends = recordings.lengths(split.x)
    of_speaker = [np.flatnonzero(split.groups == speaker) for speaker in np.unique(split.groups)]
    waves, labels, speakers = [], np.zeros((count, MOST), "int32"), np.zeros(count, "int32")
    for row in range(count):
        chosen = rng.choice(of_speaker[rng.integers(len(of_speaker))], rng.integers(FEWEST, MOST + 1))
        takes = [split.x[take, : ends[take], 0] for take in chosen]
        wave, joined = joined_takes(rng, takes, length)
        waves.append(wave)
        labels[row, :joined] = split.y[chosen[:joined]] + 1
        speakers[row] = split.groups[chosen[0]]
    return Split(recordings.padded(waves, length), labels, speakers)


def joined_takes(rng: np.random.Generator, takes: list[np.ndarray], length: int | None) -> tuple[np.ndarray, int]:
    """The takes with gaps before, between and behind them, over noise, and how many of them it holds."""
    pieces = [_gap(rng)]
    for take in takes:
        more = [take * (rng.uniform(*LEVEL) / np.abs(take).max()), _gap(rng)]
        if length is not None and sum(map(len, pieces + more)) > length:
            break
        pieces += more
    wave = np.concatenate(pieces).astype("float32")
    noise = rng.standard_normal(len(wave), "float32") * np.std(wave) * 10 ** (-rng.uniform(*SNR) / 20)
    wave += noise
    return wave * np.float32(rng.uniform(*PEAK) / np.abs(wave).max()), len(pieces) // 2


def _gap(rng: np.random.Generator) -> np.ndarray:
    return np.zeros(int(rng.uniform(*GAP) * fsdd.RATE))


def load() -> Splits:
    """Training: takes as `zoo.datasets.fsdd` has them. Validation and test: 200 and 500 strings."""
    splits = fsdd.load()
    validation = join(np.random.default_rng(5), splits.validation, 200)
    return Splits(splits.train, validation, join(np.random.default_rng(6), splits.test, 500))


DATASET = Dataset(
    dataclasses.replace(fsdd.DATASET.ref, name="fsdd_strings", title="Strings of the Free Spoken Digit Dataset"),
    fsdd.LABELS,
    load,
)
