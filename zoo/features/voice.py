"""A voice made of formulas: enough to say the digits and a few words, for examples that need no recording.

A source (pulses of the glottis, noise, or both) goes through three resonators in a row, the formants of the vocal
tract, which glide from sound to sound.
Source: Klatt 1980, JASA 67(3), reduced to its cascade; formants of Peterson & Barney 1952, JASA 24(2).
"""

from collections.abc import Sequence

import numpy as np

from zoo.errors import unknown_name

# name: formants in Hz, loudness of the pulses, loudness of the noise, seconds
SOUNDS: dict[str, tuple[tuple[float, float, float], float, float, float]] = {
    "ah": ((640, 1190, 2390), 1.0, 0.0, 0.14),
    "aa": ((730, 1090, 2440), 1.0, 0.0, 0.14),
    "ao": ((570, 840, 2410), 1.0, 0.0, 0.15),
    "eh": ((530, 1840, 2480), 1.0, 0.0, 0.13),
    "ih": ((390, 1990, 2550), 0.9, 0.0, 0.10),
    "iy": ((270, 2290, 3010), 0.8, 0.0, 0.13),
    "ow": ((450, 850, 2400), 1.0, 0.0, 0.14),
    "uw": ((300, 870, 2240), 0.8, 0.0, 0.15),
    "uh": ((440, 1020, 2240), 0.9, 0.0, 0.10),
    "w": ((290, 610, 2150), 0.5, 0.0, 0.08),
    "y": ((260, 2200, 3000), 0.5, 0.0, 0.07),
    "r": ((330, 1100, 1500), 0.5, 0.0, 0.08),
    "n": ((250, 1500, 2500), 0.35, 0.0, 0.09),
    "d": ((250, 1700, 2600), 0.2, 0.05, 0.03),
    "z": ((250, 1800, 3300), 0.25, 0.25, 0.10),
    "v": ((250, 1100, 2300), 0.3, 0.08, 0.07),
    "f": ((900, 1500, 3300), 0.0, 0.06, 0.11),
    "th": ((900, 1500, 3000), 0.0, 0.05, 0.09),
    "s": ((1500, 2800, 3600), 0.0, 0.6, 0.13),
    "t": ((1200, 2400, 3500), 0.0, 0.5, 0.03),
    "k": ((900, 1900, 2500), 0.0, 0.4, 0.03),
    "p": ((500, 1000, 2400), 0.0, 0.2, 0.03),
    ".": ((500, 1500, 2500), 0.0, 0.0, 0.06),
}
WORDS = {
    "zero": "z ih r ow uh",
    "one": "w ah n",
    "two": "t uw uw",
    "three": "th r iy iy",
    "four": "f ao r",
    "five": "f aa ih v",
    "six": "s ih . k s",
    "seven": "s eh v ih n",
    "eight": "eh ih . t",
    "nine": "n aa ih n",
    "yes": "y eh s",
    "no": "n ow uh",
    "up": "ah . p",
    "down": "d aa uh n",
}
_STEP = 0.005  # seconds between the points that the formants glide through
_WIDTHS = (70.0, 100.0, 140.0)  # of the resonances, in Hz


def say(word: str, rate: int, pitch: float = 120.0, speed: float = 1.0) -> np.ndarray:
    """One of `WORDS` as float32 [samples] at `rate` Hz; pitch in Hz, at the beginning. Raises UnknownName."""
    if word not in WORDS:
        raise unknown_name("word", word, WORDS, f"This voice says {', '.join(WORDS)}.")
    sounds = [SOUNDS[name] for name in WORDS[word].split()]
    points = np.repeat(
        np.array([(*formants, pulses, noise) for formants, pulses, noise, _ in sounds]),
        [max(1, round(seconds / speed / _STEP)) for *_, seconds in sounds],
        axis=0,
    )
    points = _glide(points, 9)
    samples = int(len(points) * _STEP * rate)
    at = np.linspace(0, len(points) - 1, samples)
    tracks = [np.interp(at, np.arange(len(points)), track) for track in points.T]
    wave = _source(tracks[3], tracks[4], pitch, rate)
    for formant, width in zip(tracks[:3], _WIDTHS, strict=True):
        wave = _resonance(wave, formant, width, rate)
    wave *= np.minimum(1, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (0.01 * rate))
    return (0.5 * wave / np.abs(wave).max()).astype("float32")


def _glide(points: np.ndarray, span: int) -> np.ndarray:
    """Each column as its moving average over `span` points."""
    padded = np.pad(points, ((span // 2, span // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, span, axis=0).mean(-1)


def _source(pulses: np.ndarray, noise: np.ndarray, pitch: float, rate: int) -> np.ndarray:
    falling = pitch * np.linspace(1.0, 0.8, len(pulses))
    beats = np.diff(np.floor(np.cumsum(falling) / rate), prepend=0)
    glottis = np.convolve(beats, np.exp(-np.arange(rate // 100) * 2000 / rate))[: len(beats)]
    return pulses * glottis + 0.3 * noise * np.random.default_rng(0).standard_normal(len(noise))


def _resonance(wave: np.ndarray, formant: Sequence[float], width: float, rate: int) -> np.ndarray:
    """y[t] = a x[t] + b y[t-1] - c y[t-2], whose resonance follows `formant` [samples]."""
    decay = np.exp(-np.pi * width / rate)
    b, c = 2 * decay * np.cos(2 * np.pi * np.asarray(formant) / rate), decay**2
    found, last, before = np.empty_like(wave), 0.0, 0.0
    for step, (x, turn) in enumerate(zip(wave, b, strict=True)):
        last, before = (1 - turn + c) * x + turn * last - c * before, last
        found[step] = last
    return found
