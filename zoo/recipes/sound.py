"""Augmentation for sound: another voice, another distance, another microphone, another room."""

import numpy as np

from zoo.datasets import Split
from zoo.datasets.recordings import lengths, padded

FAINTEST = 0.02  # the peak of the quietest example


def augment(
    rng: np.random.Generator,
    split: Split,
    *,
    length: int,
    stretch: float = 0.15,
    tilt: float = 0.4,
    margin: int = 1000,
    snr: tuple[float, float] = (10.0, 45.0),
) -> Split:
    """x float32 [N, S, 1], zeros behind each wave -> [N, length, 1]; a longer wave loses its end.

    stretch  time and pitch by a factor e^u with u uniform in ±stretch
    tilt     y[t] = x[t] - a x[t-1] with a uniform in ±tilt, a darker or brighter microphone
    margin   up to so many samples of the background alone before and after the wave
    snr      of the background in dB; a quarter of the examples have none, and no margin either
    The peak of each wave is drawn from FAINTEST to 1, evenly in dB.
    """
    found = np.zeros((len(split), length, 1), "float32")
    for row, wave, count in zip(found, split.x, lengths(split.x), strict=True):
        sound = voice(rng, wave[:count, 0], stretch, tilt)
        if rng.random() < 0.75:
            before, after = rng.integers(0, margin, 2)
            sound = np.pad(sound, (before, after))
            sound += background(rng, len(sound), tilt) * power(sound) * 10 ** (-rng.uniform(*snr) / 20)
        sound *= FAINTEST ** rng.random() / np.abs(sound).max()
        row[: len(sound), 0] = sound[:length]
    return Split(found, split.y, split.groups)


def vary(rng: np.random.Generator, split: Split, *, stretch: float, tilt: float) -> Split:
    """Each wave of x float32 [N, S, 1] at another speed, pitch and timbre, with zeros behind it."""
    waves = zip(split.x, lengths(split.x), strict=True)
    return Split(padded([voice(rng, x[:count, 0], stretch, tilt) for x, count in waves]), split.y, split.groups)


def voice(rng: np.random.Generator, wave: np.ndarray, stretch: float, tilt: float) -> np.ndarray:
    """The wave [S] at another speed, pitch and timbre."""
    speed = np.exp(rng.uniform(-stretch, stretch))
    wave = np.interp(np.arange(0, len(wave) - 1, speed), np.arange(len(wave)), wave).astype("float32")
    return tilted(wave, rng.uniform(-tilt, tilt))


def tilted(wave: np.ndarray, share: float) -> np.ndarray:
    """
    >>> tilted(np.array([1.0, 1.0, 0.0]), 0.5).tolist()
    [1.0, 0.5, -0.5]
    """
    found = wave.copy()
    found[1:] -= np.float32(share) * wave[:-1]
    return found


def background(rng: np.random.Generator, samples: int, tilt: float) -> np.ndarray:
    """Noise [samples] of power about 1."""
    return tilted(rng.standard_normal(samples, "float32"), rng.uniform(-tilt, tilt))


def power(wave: np.ndarray) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(wave))))
