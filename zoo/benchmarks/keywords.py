"""Keyword spotters on an hour of sound: false alarms against missed keywords.

The hour is made of the test part alone: every keyword once, three times as many unknown words (spoken digits and spoilt
words), and a background that changes every minute. All times are known.

Run `python -m zoo.benchmarks.keywords` (minutes) to write results/keywords.csv and results/keywords.png. What a packet
costs is in results/streaming.csv.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export import runtime
from export.runtime import Executor
from zoo import registry
from zoo.benchmarks import results
from zoo.datasets import kws
from zoo.datasets.kws import Sound
from zoo.features.keywords import PAUSE, smoothed

PACKAGES = ("keras", "onnxruntime")
THRESHOLDS = (*(round(0.05 * step, 2) for step in range(4, 20)), 0.97, 0.99)
LATE = 0.75  # seconds after its end in which a keyword may be reported
MINUTE = 60 * kws.RATE


def hour(rng: np.random.Generator, minutes: int = 60, which: str = "test") -> tuple[np.ndarray, list[Sound]]:
    """The wave [samples] and the words in it, with their bounds."""
    words, digits = list(kws.words(which)), kws.digits(which)
    order = np.array_split(rng.permutation(len(words)), minutes)
    waves, found = [], []
    for minute, chosen in enumerate(order):
        sounds = [words[row] for row in chosen]
        sounds += [digits[row] for row in rng.integers(len(digits), size=8)]
        sounds += [kws.spoilt(rng, *(words[row] for row in rng.integers(len(words), size=2))) for _ in range(8)]
        rng.shuffle(sounds)
        wave, placed = kws.place(rng, _spread(rng, sounds), kws.background(rng, MINUTE, words))
        waves.append(wave)
        shift = minute * MINUTE
        found += [Sound(item.wave, item.start + shift, item.end + shift, item.label) for item in placed]
    wave = np.concatenate(waves)
    return np.clip(wave, -1, 1), found


def _spread(rng: np.random.Generator, sounds: Sequence[Sound]) -> list[tuple[int, Sound]]:
    """Where the sounds of a minute start: in order, without touching, the rest of the minute shared out at random."""
    free = MINUTE - sum(len(item.wave) for item in sounds)
    before = np.sort(rng.integers(0, free, len(sounds)))
    starts = before + np.cumsum([0, *(len(item.wave) for item in sounds[:-1])])
    return [(int(start), item) for start, item in zip(starts, sounds, strict=True)]


def answers(executor: Executor, wave: np.ndarray) -> np.ndarray:
    """The logits [packets, labels] of a streaming file, pushed a second at a time."""
    stream = executor.stream()
    return np.concatenate([stream.push(part[None, :, None])[0] for part in np.split(wave, len(wave) // kws.RATE)])


def detections(probabilities: np.ndarray, threshold: float) -> list[tuple[float, int]]:
    """(seconds, label) of every report, from smoothed probabilities [packets, labels], as `Detector` makes them."""
    step, found, quiet_until, reported, last = kws.PACKET / kws.RATE, [], 0.0, 0, -1
    for row in np.flatnonzero(probabilities[:, 2:].max(-1) > threshold).tolist():
        now, best = (row + 1) * step, 2 + int(probabilities[row, 2:].argmax())
        if row > last + 1 or probabilities[row, reported] <= threshold:
            reported = 0
        if best != reported and now >= quiet_until:
            found.append((now, best))
            quiet_until, reported = now + PAUSE, best
        last = row
    return found


def judged(found: Sequence[tuple[float, int]], sounds: Sequence[Sound]) -> tuple[int, list[float]]:
    """False alarms, and for each keyword that was reported how long after its end, in seconds.

    A report is right once: from the beginning of a keyword of its label until `LATE` after its end.
    """
    spoken = [(item.start / kws.RATE, item.end / kws.RATE, item.label) for item in sounds if item.label != kws.UNKNOWN]
    open_, delays, alarms = spoken.copy(), [], 0
    for moment, label in found:
        match = next((k for k in open_ if k[2] == label and k[0] <= moment <= k[1] + LATE), None)
        if match is None:
            alarms += 1
        else:
            open_.remove(match)
            delays.append(moment - match[1])
    return alarms, delays


def curve(name: str, wave: np.ndarray, sounds: Sequence[Sound]) -> list[dict[str, Any]]:
    """One row a threshold."""
    executor = runtime.load(registry.file(name, "streaming.onnx"))
    probabilities, hours = smoothed(answers(executor, wave)), len(wave) / kws.RATE / 3600
    keywords = sum(item.label != kws.UNKNOWN for item in sounds)
    rows = []
    for threshold in THRESHOLDS:
        alarms, delays = judged(detections(probabilities, threshold), sounds)
        rows.append(
            {
                "model": name,
                "threshold": threshold,
                "false_alarms_per_hour": round(alarms / hours, 2),
                "missed": round(1 - len(delays) / keywords, 4),
                "median_delay_s": round(float(np.median(delays)), 3) if delays else "",
                "keywords": keywords,
                "other_words": len(sounds) - keywords,
                "hours": round(hours, 3),
                **results.conditions(PACKAGES),
            }
        )
    return rows


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """False alarms against missed keywords, a line a model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row["model"] for row in rows):
        points = [(row["false_alarms_per_hour"], 100 * row["missed"]) for row in rows if row["model"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    axes.set(xlabel="false alarms an hour", ylabel="missed keywords, %", title="An hour of words, digits and noise")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    wave, sounds = hour(np.random.default_rng(7))
    names = [name for name in registry.names() if name.endswith("_stream.kws")]
    rows = [row for name in names for row in curve(name, wave, sounds)]
    print(results.write("keywords", rows))
    plot(rows, results.FOLDER / "keywords.png")
