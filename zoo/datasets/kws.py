"""Keyword spotting at 16 kHz: yes, no, up and down among other words, noise and silence.

Words: the clips of Speech Commands v0.02 (test archive, one second each, 226 speakers). Everything else is made of
other audio. Unknown words: spoken digits (Free Spoken Digit Dataset), and words played backwards, spliced or shuffled.
Background: coloured noise, mains hum, and the quietest moments of the clips, repeated.
Split by speaker, for the words by a hash of the speaker's id: nobody is heard in two parts, in any role.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from zoo.datasets import fsdd, recordings
from zoo.datasets.base import Dataset, RemoteFile, Split, Splits
from zoo.features import audio, keywords
from zoo.spec import DatasetRef

RATE, PACKET = 16_000, 320
LABELS = ("silence", "unknown", "yes", "no", "up", "down")
SILENCE, UNKNOWN, IGNORED = 0, 1, -1
WORDS = LABELS[2:]
DIGIT_SPEAKERS = {"validation": ("lucas",), "test": ("george",)}  # the others are for training
REMOTE = RemoteFile("http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz", None)
MIRROR = (
    "speech_commands",
    "speech_commands_v0.02_test_yes_no_up_down.tar.xz",
    "b14abbbf2152510c2334174ff38ec26754d217a10612a60ab0f6160c8aa86416",
)
RECORDINGS = "f394f6c18dc007e4715ce2f8b7f63fa108f0de4f868483ab9674c2993cd8a177"
CLIP, TAIL = RATE, int(keywords.TAIL * RATE)  # samples of a clip, and of the background that follows it in a test
_NAME = re.compile(r".*?((yes|no|up|down)/([0-9a-f]+)_nohash_\d+\.wav)")
_EARLY, _HOLD, _SLACK = 0.06, 0.3, 0.1  # seconds, see `targets`


@dataclass(frozen=True)
class Sound:
    """One word: `wave` float32 [S], the samples `start` to `end` of it that are heard, its label."""

    wave: np.ndarray
    start: int
    end: int
    label: int


def part(speaker: str) -> str:
    """
    >>> part("022cd682"), part("0cb74144")
    ('test', 'train')
    """
    place = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 100
    return "test" if place < 20 else "validation" if place < 35 else "train"


@cache
def _spoken() -> dict[tuple[str, str, str], np.ndarray]:
    """{(file, word, speaker): wave} of every keyword."""

    def wanted(path: str) -> str | None:
        found = _NAME.fullmatch(path)
        return found and found[1]

    waves = recordings.waves(recordings.fetch(MIRROR, REMOTE, wanted, RECORDINGS), RATE)
    return {(name, *_NAME.sub(r"\2 \3", name).split()): wave for name, wave in waves.items()}  # type: ignore[misc]


@cache
def words(which: str) -> tuple[Sound, ...]:
    """The keywords spoken by the speakers of one part: "train", "validation" or "test"."""
    return tuple(
        sound(wave, LABELS.index(word)) for (_, word, speaker), wave in _spoken().items() if part(speaker) == which
    )


@cache
def digits(which: str) -> tuple[Sound, ...]:
    """The spoken digits of the speakers of one part, brought to 16 kHz."""
    elsewhere = {name for names in DIGIT_SPEAKERS.values() for name in names}
    speakers = DIGIT_SPEAKERS.get(which) or tuple(sorted(set(fsdd.SPEAKERS) - elsewhere))
    takes = fsdd.takes()
    chosen = np.isin(takes.speaker, [fsdd.SPEAKERS.index(name) for name in speakers]) & (takes.number < 10)
    waves = [audio.resample(takes.waves[row], fsdd.RATE, RATE)[:CLIP] for row in np.flatnonzero(chosen)]
    return tuple(sound(wave, UNKNOWN) for wave in waves)


def sound(wave: np.ndarray, label: int) -> Sound:
    """The wave with the bounds of what is heard: the pieces of 10 ms less than 26 dB below the loudest one."""
    piece = RATE // 100
    count = len(wave) // piece
    power = np.sqrt(np.mean(np.square(wave[: count * piece].reshape(count, piece)), 1))
    (heard,) = np.nonzero(power > power.max() / 20)
    return Sound(wave, int(heard[0]) * piece, int(heard[-1] + 1) * piece, label)


def spoilt(rng: np.random.Generator, word: Sound, other: Sound) -> Sound:
    """No word any more: the word backwards, half of it and half of another one backwards, or its pieces shuffled, each
    of them backwards. What is left of its beginning would be the word still: "up" is one without its end."""
    wave, second = (item.wave[item.start : item.end][::-1] for item in (word, other))
    kind = rng.integers(3)
    if kind == 1:
        wave = np.concatenate([wave[: len(wave) // 2], second[len(second) // 2 :]])
    elif kind == 2:
        pieces = np.array_split(wave, rng.integers(3, 6))
        wave = np.concatenate([pieces[place] for place in rng.permutation(len(pieces))])
    return Sound(_faded(wave), 0, len(wave), UNKNOWN)


def _faded(wave: np.ndarray) -> np.ndarray:
    """Without clicks at its ends."""
    ramp = np.minimum(1, np.arange(len(wave)) / 80)
    return (wave * ramp * ramp[::-1]).astype("float32")


def background(rng: np.random.Generator, samples: int, clips: Sequence[Sound]) -> np.ndarray:
    """Noise, hum, or the quietest moment of a clip repeated back and forth, of power 1 [samples]."""
    kind = rng.integers(3)
    if kind == 0:
        found = rng.standard_normal(samples, "float32")
        found[1:] -= np.float32(rng.uniform(-0.9, 0.5)) * found[:-1]
    elif kind == 1:
        time = np.arange(RATE // 10) * (2 * np.pi * rng.choice([50, 60]) / RATE)  # a tenth of a second repeats
        hum = sum(rng.uniform(0, 1 / n) * np.sin(n * time + rng.uniform(0, 6)) for n in range(1, 9))
        found = np.resize(hum, samples) + 0.1 * rng.standard_normal(samples, "float32")
    else:
        found = _quietest(clips[int(rng.integers(len(clips)))].wave, samples)
    return np.asarray(found / (np.sqrt(np.mean(np.square(found))) + 1e-9), "float32")


def _quietest(wave: np.ndarray, samples: int, piece: int = RATE // 5) -> np.ndarray:
    starts = np.arange(0, len(wave) - piece, piece // 4)
    moment = min((wave[start : start + piece] for start in starts), key=lambda x: float(np.square(x).sum()))
    return np.resize(np.concatenate([moment, moment[::-1]]), samples)


def place(
    rng: np.random.Generator, items: Sequence[tuple[int, Sound]], noise: np.ndarray
) -> tuple[np.ndarray, list[Sound]]:
    """The sounds laid over the noise from their samples on, and the same sounds with their bounds in the whole.

    noise: of power 1 [S]; it comes 5 to 40 dB below the first sound.
    """
    wave, found = np.zeros(len(noise), "float32"), []
    for at, item in items:
        piece = item.wave[: len(wave) - at]
        wave[at : at + len(piece)] += piece
        found.append(Sound(wave, at + item.start, min(at + item.end, len(wave)), item.label))
    level = np.sqrt(np.mean(np.square(items[0][1].wave))) if items else rng.uniform(0.001, 0.1)
    return wave + noise * np.float32(level * 10 ** (-rng.uniform(5, 40) / 20)), found


def targets(sounds: Sequence[Sound], samples: int) -> np.ndarray:
    """The label of every packet, int32 [samples / PACKET].

    A keyword is to be known from shortly before its end until `_HOLD` seconds after it; while it is being said, any
    answer is right. An unknown word is unknown all along. Before anything else is right again there is some slack.
    """
    found = np.zeros(samples // PACKET, "int32")

    def packet(sample: float) -> int:
        return max(0, int(np.ceil(sample / PACKET)))

    for item in sounds:
        known = item.end - _EARLY * RATE if item.label != UNKNOWN else item.start + _SLACK * RATE
        until = item.end + _HOLD * RATE
        found[packet(item.start) : packet(until + _SLACK * RATE)] = IGNORED
        found[packet(known) : packet(until)] = item.label
    return found


def clips(which: str, seed: int) -> Split:
    """x float32 [N, 1.5 s, 1]: every keyword of a part once, and as many unknown words and as much silence as there are
    of one keyword; each over a background that goes on for half a second. y int32 [N], an index into `LABELS`.
    """
    rng, spoken = np.random.default_rng(seed), words(which)
    count, others = len(spoken) // len(WORDS), digits(which)
    unknown = [others[row] for row in rng.choice(len(others), count - count // 2, replace=False)]
    unknown += [spoilt(rng, *(spoken[row] for row in rng.integers(len(spoken), size=2))) for _ in range(count // 2)]
    x, y = [], []
    for item in [*spoken, *unknown, *[None] * count]:
        noise = background(rng, CLIP + TAIL, spoken)
        start = 0 if item is None or item.label != UNKNOWN else int(rng.integers(0, max(1, CLIP - len(item.wave))))
        x.append(place(rng, [(start, item)] if item else [], noise)[0])
        y.append(item.label if item else SILENCE)
    return Split(recordings.padded(x), np.array(y, "int32"))


def load() -> Splits:
    """The training split holds single words, keywords as well as digits, which a recipe lays into streams."""
    spoken = (*words("train"), *digits("train"))
    train = Split(
        recordings.padded([item.wave for item in spoken], CLIP), np.array([item.label for item in spoken], "int32")
    )
    return Splits(train, clips("validation", 1), clips("test", 2))


DATASET = Dataset(
    DatasetRef(
        name="kws",
        title="Speech Commands v0.02: yes, no, up, down, among spoken digits and noise",
        url="https://www.tensorflow.org/datasets/catalog/speech_commands",
        licence="CC BY 4.0; the digits CC BY-SA 4.0",
        citation="Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209",
    ),
    LABELS,
    load,
)
