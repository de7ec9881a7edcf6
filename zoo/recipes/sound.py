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


def elsewhere(rng: np.random.Generator, wave: np.ndarray, rate: int) -> np.ndarray:
    """The wave [S] said at another pace, with a gap, through another microphone, in a room: each at times."""
    if rng.random() < 0.5:
        wave = paced(wave, np.exp(rng.uniform(-0.25, 0.25)), rate)
    if rng.random() < 0.3:
        wave = _with_gap(rng, wave, rate)
    if rng.random() < 0.3:
        wave = _in_room(rng, wave, rate)
    if rng.random() < 0.3:
        wave = _equalised(rng, wave)
    return wave


def paced(wave: np.ndarray, speed: float, rate: int) -> np.ndarray:
    """The wave [S] so many times as fast at the same pitch: pieces of 30 ms, each from where it fits best on the one
    before (WSOLA, Verhelst & Roelands 1993)."""
    hop, search, samples = rate * 15 // 1000, rate // 133, int(len(wave) / speed)
    source = np.pad(wave, (search, 3 * hop + search))
    window = np.hanning(2 * hop + 1)[:-1].astype("float32")
    found, best = np.zeros(samples + 2 * hop, "float32"), search
    for start in range(0, samples, hop):
        if start:
            at = int(start * speed)
            around, wanted = source[at : at + 2 * (hop + search)], source[best + hop : best + 3 * hop]
            best = at + 2 * int(np.correlate(around[::2], wanted[::2]).argmax())  # every other sample is enough
        found[start : start + 2 * hop] += window * source[best : best + 2 * hop]
    return found[:samples]


def _with_gap(rng: np.random.Generator, wave: np.ndarray, rate: int) -> np.ndarray:
    """Without 20 to 100 ms of it, as when a packet is lost."""
    start, found = rng.integers(len(wave)), wave.copy()
    found[start : start + int(rng.uniform(0.02, 0.1) * rate)] = 0
    return found


def _in_room(rng: np.random.Generator, wave: np.ndarray, rate: int) -> np.ndarray:
    """With echoes that die away by 60 dB in 30 to 200 ms."""
    count = int(rng.uniform(0.03, 0.2) * rate)
    echoes = rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    echoes *= rng.uniform(0.5, 3) / np.sqrt(count)
    echoes[0] = 1
    return _filtered(wave, echoes)[: len(wave)]


def _equalised(rng: np.random.Generator, wave: np.ndarray) -> np.ndarray:
    """By a smooth curve of up to ± 8 dB through five random points."""
    places = np.sort(rng.uniform(0, 1, 5))
    decibels = np.interp(np.linspace(0, 1, 129), places, rng.uniform(-8, 8, 5))
    taps = np.roll(np.fft.irfft(10 ** (decibels / 20)), 64)[:128] * np.hanning(128)
    return _filtered(wave, taps)[64 : 64 + len(wave)]


def _filtered(wave: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Their convolution [S + taps - 1], by FFT."""
    samples = len(wave) + len(taps) - 1
    size = 1 << (samples - 1).bit_length()
    found = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(taps, size), size)
    return found[:samples].astype("float32")
