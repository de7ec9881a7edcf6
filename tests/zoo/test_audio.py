import struct
import tracemalloc
import wave as standard

import numpy as np
import pytest

from zoo.errors import InvalidInput
from zoo.features import audio

TONE = (0.5 * np.sin(np.arange(800) * 0.3)).astype("float32")


def riff(path, data, kind=1, channels=1, rate=8000, bits=16, promise=None):
    """A WAV file written by hand, chunk by chunk."""
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # a chunk of odd size, padded
    chunks += b"data" + struct.pack("<I", len(data) if promise is None else promise) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def refusal(function, *arguments):
    with pytest.raises(InvalidInput) as error:
        function(*arguments)
    return str(error.value)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integers_of_every_width_are_read_as_the_standard_library_wrote_them(tmp_path, width):
    scaled = np.round(TONE * 2.0 ** (8 * width - 1)).astype("int64")
    low = scaled + 128 if width == 1 else scaled
    raw = b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in low)
    with standard.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(raw)
    found, rate = audio.read(tmp_path / "a.wav")
    assert rate == 8000 and found.shape == (800, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], TONE, atol=2.0 ** -(8 * width - 1))


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_are_read_as_they_are(tmp_path, bits):
    path = riff(tmp_path / "a.wav", TONE.astype(f"<f{bits // 8}").tobytes(), kind=3, bits=bits)
    np.testing.assert_array_equal(audio.read(path)[0][:, 0], TONE)


def test_what_is_written_is_read_by_the_standard_library(tmp_path):
    audio.write(tmp_path / "a.wav", TONE, 16_000)
    with standard.open(str(tmp_path / "a.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 800)
        found = np.frombuffer(file.readframes(800), "<i2") / 32768
    np.testing.assert_allclose(found, TONE, atol=1e-4)


def test_two_channels_are_refused(tmp_path):
    path = riff(tmp_path / "a.wav", bytes(400), channels=2)
    assert refusal(audio.load, path, 8000) == (
        f"{path} has 2 channels, the model listens to one. Mix them: ffmpeg -i {path} -ac 1 out.wav"
    )


def test_a_lower_rate_than_the_models_is_refused(tmp_path):
    path = riff(tmp_path / "a.wav", bytes(400))
    assert refusal(audio.load, path, 16_000) == (
        f"{path} has 8000 samples a second, the model needs 16000 or more: what it listens for above 4000 Hz is not "
        "in the file. Record at a higher rate."
    )


def test_a_higher_rate_is_brought_down(tmp_path):
    path = riff(tmp_path / "a.wav", bytes(44_100 * 2), rate=44_100)
    assert audio.load(path, 16_000).shape == (16_000,)


def test_a_loud_recording_stays_within_full_scale_at_another_rate(tmp_path):
    square = np.where(np.arange(4410) // 50 % 2, 32767, -32768).astype("<i2")
    path = riff(tmp_path / "a.wav", square.tobytes(), rate=44_100)
    assert np.abs(audio.resample(square / np.float32(32768), 44_100, 16_000)).max() > 1  # the reason
    assert np.abs(audio.load(path, 16_000)).max() == 1


def test_what_is_not_scaled_to_full_scale_stays_so_at_another_rate(tmp_path):
    path = riff(tmp_path / "a.wav", (20_000 * TONE).astype("<f4").tobytes(), kind=3, bits=32, rate=44_100)
    assert np.abs(audio.load(path, 16_000)).max() == pytest.approx(10_000, rel=0.01)


@pytest.mark.parametrize("promise", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("sound", [TONE, np.zeros(800)])
def test_a_stream_whose_length_was_not_known_is_read_to_its_end(tmp_path, promise, sound):
    samples = (sound * 32768).astype("<i2")
    found, _ = audio.read(riff(tmp_path / "a.wav", samples.tobytes() + b"x", promise=promise))  # half a sample more
    np.testing.assert_array_equal(found[:, 0], samples / np.float32(32768))


def test_files_that_hold_no_sound_are_refused(tmp_path):
    missing, empty, text, none = (tmp_path / name for name in ("missing.wav", "empty.wav", "text.wav", "none.wav"))
    empty.write_bytes(b"")
    text.write_text("not a recording")
    riff(none, b"")
    assert refusal(audio.read, missing) == f"{missing} does not exist."
    assert refusal(audio.read, tmp_path) == f"{tmp_path} is a folder: give a WAV file."
    assert refusal(audio.read, empty) == f"{empty} is empty: it should be a WAV file."
    assert refusal(audio.read, text) == (
        f"{text} is not a WAV file. Convert it: ffmpeg -i {text} -ac 1 -c:a pcm_s16le out.wav"
    )
    assert refusal(audio.read, none) == f"{none} holds no samples."
    none.write_bytes(none.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert refusal(audio.read, none) == f"{none} holds no samples."


def test_a_file_cut_short_is_refused(tmp_path):
    path = riff(tmp_path / "a.wav", bytes(400), promise=1000)
    assert refusal(audio.read, path) == (
        f"{path} is cut short: it should hold 500 samples and holds 200. Fetch or record it again."
    )
    path.write_bytes(path.read_bytes()[:30])
    assert refusal(audio.read, path) == (
        f"{path} is a WAV file cut short: it ends before its first sample. Fetch or record it again."
    )


def test_compressed_sound_is_refused(tmp_path):
    path = riff(tmp_path / "a.wav", bytes(400), kind=7, bits=8)
    assert refusal(audio.read, path) == (
        f"{path} is a WAV file of kind 7 with 8 bits a sample, neither plain integers nor floats. "
        f"Convert it: ffmpeg -i {path} -ac 1 -c:a pcm_s16le out.wav"
    )


@pytest.mark.parametrize("rate", [0, 768_001, 2_000_000_011])
def test_a_header_without_a_possible_rate_is_refused(tmp_path, rate):
    path = riff(tmp_path / "a.wav", bytes(400), rate=rate)
    assert refusal(audio.read, path) == (
        f"{path} says it has 1 channels and {rate} samples a second: its header is damaged. Fetch or record it again."
    )


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_sample_that_is_no_number_is_refused(tmp_path, bits, value):
    wave = TONE.astype(f"<f{bits // 8}")
    wave[[7, 10]] = value
    path = riff(tmp_path / "a.wav", wave.tobytes(), kind=3, channels=2, bits=bits)
    assert refusal(audio.read, path) == (
        f"{path} holds a sample that is no number: sample 4 is {value}. Record or export it again."
    )


@pytest.mark.parametrize(("rate", "to"), [(8000, 16_000), (44_100, 16_000), (16_000, 8000), (48_000, 16_000)])
def test_a_tone_is_the_same_tone_at_another_rate(rate, to):
    before, after = (np.sin(2 * np.pi * 440 * np.arange(second) / second) for second in (rate, to))
    found = audio.resample(before.astype("float32"), rate, to)
    assert found.shape == (to,)
    np.testing.assert_allclose(found[200:-200], after[200:-200], atol=2e-3)


def test_what_a_lower_rate_cannot_hold_is_filtered_out():
    high = np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000).astype("float32")
    assert np.abs(audio.resample(high, 16_000, 8000)[100:-100]).max() < 1e-2


@pytest.mark.parametrize(
    ("rate", "to", "samples"), [(48_000, 16_000, 250), (8000, 16_000, 250), (44_100, 16_000, 9000)]
)
def test_a_wave_resampled_in_blocks_is_the_same_bit_by_bit(monkeypatch, rate, to, samples):
    wave = np.random.default_rng(0).uniform(-1, 1, samples).astype("float32")
    whole = audio.resample(wave, rate, to)
    monkeypatch.setattr(audio, "_BLOCK", 16)
    np.testing.assert_array_equal(audio.resample(wave, rate, to), whole)


def test_resampling_a_long_wave_takes_a_few_times_its_memory():
    wave = np.zeros(20 * 48_000, "float32")
    tracemalloc.start()
    audio.resample(wave, 48_000, 16_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * wave.nbytes  # at once it would be 34 times
