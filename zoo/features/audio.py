"""Sound in and out of WAV files, and from one sample rate to another. Samples are float32 in [-1, 1]."""

import struct
from math import gcd
from pathlib import Path

import numpy as np

from zoo.errors import InvalidInput

_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN = 0x7FFFF000  # from this size on it is that of what was still being recorded when its header was written
_RATES = 1, 768_000
_BLOCK = 4096  # a multiple of 4: BLAS takes rows by fours, and the last bit of a row left over is another
_CONVERT = "Convert it: ffmpeg -i {} -ac 1 -c:a pcm_s16le out.wav"


def load(path: str | Path, rate: int) -> np.ndarray:
    """The one channel of a WAV file at `rate` Hz [samples]; a higher rate is brought down to it.

    Raises InvalidInput for what `read` refuses, more channels than one, and a rate below `rate`.
    """
    sound, found = read(path)
    if sound.shape[1] != 1:
        raise InvalidInput(
            f"{path} has {sound.shape[1]} channels, the model listens to one. Mix them: ffmpeg -i {path} -ac 1 out.wav"
        )
    if found < rate:
        raise InvalidInput(
            f"{path} has {found} samples a second, the model needs {rate} or more: what it listens for above "
            f"{found // 2} Hz is not in the file. Record at a higher rate."
        )
    wave = sound[:, 0]
    peak = max(1.0, float(np.abs(wave).max()))  # between loud samples a sinc rises above them
    return np.clip(resample(wave, found, rate), -peak, peak)


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """The samples [samples, channels] of a WAV file of integers (8 to 32 bits) or floats, and its rate in Hz.

    Raises InvalidInput for a file that is missing, empty, truncated, compressed or no WAV file, has no samples, or
    samples that are no numbers.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: give a WAV file.")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    content = path.read_bytes()
    if not content:
        raise InvalidInput(f"{path} is empty: it should be a WAV file.")
    return decode(content, str(path))


def decode(content: bytes, name: str) -> tuple[np.ndarray, int]:
    """What `read` returns, from the bytes of a WAV file; errors call it `name`.

    Layout: RIFF, size, WAVE, then chunks of (identifier, size, bytes, padded to even), where "fmt " describes "data".
    Source: Microsoft & IBM 1991, Multimedia Programming Interface and Data Specifications 1.0.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise InvalidInput(f"{name} is not a WAV file. {_CONVERT.format(name)}")
    chunks = _chunks(content)
    header, data = chunks.get(b"fmt "), chunks.get(b"data")
    if header is None or data is None or len(header[0]) < 16:
        raise InvalidInput(
            f"{name} is a WAV file cut short: it ends before its first sample. Fetch or record it again."
        )
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", header[0])
    if kind == _EXTENSIBLE and len(header[0]) >= 26:
        (kind,) = struct.unpack_from("<H", header[0], 24)
    _check_header(name, kind, channels, rate, bits)
    raw, size = data
    width = channels * bits // 8
    if len(raw) < size:
        raise InvalidInput(
            f"{name} is cut short: it should hold {size // width} samples and holds {len(raw) // width}. "
            "Fetch or record it again."
        )
    if size < width:
        raise InvalidInput(f"{name} holds no samples.")
    sound = _samples(raw[: size // width * width], kind, bits).reshape(-1, channels)
    _check_numbers(name, sound)
    return sound, rate


def _chunks(content: bytes) -> dict[bytes, tuple[bytes, int]]:
    """{identifier: what there is of its bytes, and how many there should be}."""
    chunks: dict[bytes, tuple[bytes, int]] = {}
    position = 12
    while position + 8 <= len(content):
        identifier, size = struct.unpack_from("<4sI", content, position)
        if identifier == b"data" and _is_open(content, position + 8, size):
            size = len(content) - position - 8
        chunks.setdefault(identifier, (content[position + 8 : position + 8 + size], size))
        position += 8 + size + size % 2
    return chunks


def _is_open(content: bytes, start: int, size: int) -> bool:
    """Whether samples go from `start` to the end of the file, because what wrote the size did not know it.

    No samples, and then another chunk, is a recording of nothing.
    """
    if size != 0:
        return size >= _UNKNOWN and start + size > len(content)
    identifier, behind = struct.unpack("<4sI", content[start : start + 8].ljust(8, b"\0"))
    return not (all(32 <= byte < 127 for byte in identifier) and start + 8 + behind <= len(content))


def _check_header(name: str, kind: int, channels: int, rate: int, bits: int) -> None:
    if (kind, bits) not in {(_INTEGER, 8), (_INTEGER, 16), (_INTEGER, 24), (_INTEGER, 32), (_FLOAT, 32), (_FLOAT, 64)}:
        raise InvalidInput(
            f"{name} is a WAV file of kind {kind} with {bits} bits a sample, neither plain integers nor floats. "
            f"{_CONVERT.format(name)}"
        )
    if not _RATES[0] <= rate <= _RATES[1] or not channels:
        raise InvalidInput(
            f"{name} says it has {channels} channels and {rate} samples a second: its header is damaged. "
            "Fetch or record it again."
        )


def _check_numbers(name: str, sound: np.ndarray) -> None:
    wrong = np.argwhere(~np.isfinite(sound))
    if len(wrong):
        raise InvalidInput(
            f"{name} holds a sample that is no number: sample {wrong[0][0] + 1} is {sound[tuple(wrong[0])]}. "
            "Record or export it again."
        )


def _samples(raw: bytes, kind: int, bits: int) -> np.ndarray:
    if kind == _FLOAT:
        return np.frombuffer(raw, f"<f{bits // 8}").astype("float32")
    if bits == 8:
        return (np.frombuffer(raw, "uint8").astype("float32") - 128) / 128
    if bits == 24:
        padded = np.zeros((len(raw) // 3, 4), "uint8")
        padded[:, 1:] = np.frombuffer(raw, "uint8").reshape(-1, 3)
        return (padded.view("<i4")[:, 0] / 2.0**31).astype("float32")
    return (np.frombuffer(raw, f"<i{bits // 8}") / 2.0 ** (bits - 1)).astype("float32")


def write(path: str | Path, wave: np.ndarray, rate: int) -> None:
    """A WAV file of 16-bit integers with one channel; samples beyond [-1, 1] are clipped."""
    data = (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    Path(path).write_bytes(header + struct.pack("<4sI", b"data", len(data)) + data)


def resample(wave: np.ndarray, rate: int, to: int, zero_crossings: int = 16) -> np.ndarray:
    """The wave [samples] at `to` Hz in place of `rate` Hz: a sinc under a Hann window at every new sample.

    What the lower of the two rates cannot hold is filtered out, so nothing is mirrored into what it can.

    >>> resample(np.ones(441, "float32"), 44_100, 16_000).shape
    (160,)
    """
    if rate == to:
        return wave
    up, down = to // gcd(rate, to), rate // gcd(rate, to)
    cutoff = min(1.0, up / down) * 0.95
    reach = int(np.ceil(zero_crossings / cutoff))
    padded = np.pad(wave, (reach - 1, reach + 1)).astype("float32")
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach)
    count = -(-len(wave) * up // down)
    found = np.empty(count, "float32")
    for phase in range(min(up, count)):
        offsets = np.arange(-reach + 1, reach + 1) - phase * down % up / up
        kernel = cutoff * np.sinc(cutoff * offsets) * np.cos(np.pi * offsets / (2 * reach)) ** 2
        for start in range(phase, count, up * _BLOCK):
            samples = np.arange(start, min(start + up * _BLOCK, count), up)
            found[samples] = views[samples * down // up] @ kernel.astype("float32")
    return found
