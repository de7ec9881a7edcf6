import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from tests.real_data import needs_data
from zoo import datasets
from zoo.datasets import Split, fsdd, fsdd_strings, kws, recordings
from zoo.datasets.base import RemoteFile
from zoo.datasets.kws import Sound
from zoo.errors import UnknownName, UntrustedFile

FILES = {"one.wav": b"first", "two.wav": b"second"}


def archive(path, kind):
    """An archive of FILES and a text, in the wrong order, packed as zip or tar."""
    names = ["set/two.wav", "set/README", "set/one.wav"]
    contents = [FILES["two.wav"], b"text", FILES["one.wav"]]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, content in zip(names, contents, strict=True):
                file.writestr(name, content)
        return
    with tarfile.open(path, "w:gz") as file:
        for name, content in zip(names, contents, strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


def fetch(folder, kind, monkeypatch, sha256):
    monkeypatch.setenv("ZOO_DATA", str(folder))
    (folder / "set").mkdir(exist_ok=True)
    path = folder / "set" / f"recordings.{kind}"
    archive(path, kind)
    mirror = ("set", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    wanted = lambda name: name.rpartition("/")[2] if name.endswith(".wav") else None  # noqa: E731
    return recordings.fetch(mirror, RemoteFile("http://127.0.0.1:9/none", None), wanted, sha256)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_recordings_are_the_same_however_they_are_packed(kind, tmp_path, monkeypatch):
    digest = hashlib.sha256(b"one.wavfirsttwo.wavsecond").hexdigest()
    found = fetch(tmp_path, kind, monkeypatch, digest)
    assert found == FILES and list(found) == sorted(FILES)


def test_other_recordings_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UntrustedFile) as error:
        fetch(tmp_path, "zip", monkeypatch, "0" * 64)
    digest = hashlib.sha256(b"one.wavfirsttwo.wavsecond").hexdigest()
    assert str(error.value) == (
        f"The 2 recordings in {tmp_path / 'set' / 'recordings.zip'} have sha256 {digest}, expected {'0' * 64}: "
        "delete it and fetch it again."
    )


def test_the_length_of_a_padded_wave_is_found_again():
    waves = [np.ones(3), np.array([0.0, 0.0, 1.0, 0.0, 1.0]), np.zeros(2)]
    assert recordings.lengths(recordings.padded(waves)).tolist() == [3, 5, 0]


@needs_data
def test_fsdd_has_the_official_takes_in_the_official_parts():
    splits = datasets.get("fsdd").load()
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [2400, 300, 300]
    for split in (splits.train, splits.validation, splits.test):
        assert np.ptp(np.bincount(split.y)) == 0 and np.ptp(np.bincount(split.groups)) == 0
        assert split.x.dtype == np.float32 and np.abs(split.x).max() <= 1
    assert recordings.lengths(splits.train.x).max() == splits.train.x.shape[1]


@needs_data
def test_a_speaker_held_out_is_in_the_test_split_alone():
    splits = fsdd.without("theo").load()
    theo = fsdd.SPEAKERS.index("theo")
    assert set(splits.test.groups) == {theo} and len(splits.test) == 500
    assert theo not in splits.train.groups and theo not in splits.validation.groups


def test_an_unknown_speaker_is_refused():
    with pytest.raises(UnknownName) as error:
        fsdd.without("teo")
    assert str(error.value) == (
        "Unknown speaker 'teo'. Did you mean 'theo'? The speakers are george, jackson, lucas, nicolas, theo, yweweler."
    )


def takes():
    """Digits as tones of their own frequency: 20 takes of two speakers."""
    digit = np.arange(20) % 10
    waves = [0.3 * np.sin(np.arange(800 + 40 * d) * (0.1 + 0.2 * d)) for d in digit]
    return Split(recordings.padded(waves), digit.astype("int32"), (np.arange(20) // 10).astype("int32"))


def test_strings_hold_the_takes_they_say_they_hold():
    found = fsdd_strings.join(np.random.default_rng(0), takes(), 30)
    counts = (found.y > 0).sum(1)
    assert counts.min() >= 3 and counts.max() <= 7 and len(set(counts)) > 2
    shortest = [sum(800 + 40 * (label - 1) for label in row[row > 0]) for row in found.y]
    gaps = recordings.lengths(found.x) - shortest
    assert (gaps >= 0.02 * 8000 * (counts + 1)).all() and (gaps <= 0.4 * 8000 * (counts + 1)).all()
    assert np.abs(found.x).max() <= 0.9


def test_a_string_takes_as_many_digits_as_fit():
    found = fsdd_strings.join(np.random.default_rng(0), takes(), 30, length=8000)
    assert found.x.shape == (30, 8000, 1)
    assert (found.y > 0).sum(1).min() >= 1 and (found.y > 0).sum(1).max() < 7


@needs_data
def test_strings_of_the_test_split_are_the_same_every_time_and_of_test_takes_alone():
    first, second = (fsdd_strings.load().test for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.y, second.y)
    assert len(first) == 500


@needs_data
def test_nobody_is_heard_in_two_parts_of_the_keywords():
    speakers = {which: {name for _, _, name in kws._spoken() if kws.part(name) == which} for which in PARTS}
    assert sum(map(len, speakers.values())) == 226
    assert [len(kws.words(which)) for which in PARTS] == [1053, 288, 314]
    digits = {which: len(kws.digits(which)) for which in PARTS}
    assert digits == {"train": 400, "validation": 100, "test": 100}


PARTS = ("train", "validation", "test")


@needs_data
def test_clips_hold_every_keyword_of_their_part_and_as_much_of_anything_else():
    test = datasets.get("kws").load().test
    counts = np.bincount(test.y, minlength=6)
    assert counts[2:].sum() == 314 and counts[0] == counts[1] == 314 // 4
    assert test.x.shape[1:] == (24_000, 1) and np.isfinite(test.x).all()


def test_the_bounds_of_a_word_are_where_it_is_loud():
    wave = np.zeros(16_000, "float32")
    wave[4000:9000] = np.sin(np.arange(5000))
    wave[12_000:12_100] = 0.01
    found = kws.sound(wave, 2)
    assert abs(found.start - 4000) <= 160 and abs(found.end - 9000) <= 160


def test_packets_of_a_keyword_count_from_its_end():
    found = kws.targets([Sound(np.zeros(0), 16_000, 24_000, 3)], 48_000)
    assert found[:50].tolist() == [0] * 50  # before the word, which starts at 1 s
    assert set(found[50:72]) == {kws.IGNORED}
    assert set(found[72:90]) == {3}  # from 0.06 s before its end, 1.5 s, until 0.3 s after it
    assert set(found[90:95]) == {kws.IGNORED} and found[95:].tolist() == [0] * 55


def test_packets_of_an_unknown_word_count_from_its_beginning():
    found = kws.targets([Sound(np.zeros(0), 16_000, 24_000, kws.UNKNOWN)], 48_000)
    assert set(found[55:90]) == {kws.UNKNOWN} and set(found[50:55]) == {kws.IGNORED}


def test_a_spoilt_word_is_made_of_the_word():
    rng = np.random.default_rng(0)
    word = Sound(rng.normal(size=6000).astype("float32"), 1000, 5000, 2)
    for _ in range(20):
        found = kws.spoilt(rng, word, word)
        assert found.label == kws.UNKNOWN and found.end == len(found.wave)
        middle = found.wave[100:140]
        heard = np.concatenate([word.wave[1000:5000], [0], word.wave[1000:5000][::-1]])
        views = np.lib.stride_tricks.sliding_window_view(heard, len(middle))
        assert np.abs(views - middle).max(1).min() < 1e-6


def test_every_background_has_the_power_it_is_asked_for():
    clip = Sound(np.random.default_rng(1).normal(size=16_000).astype("float32"), 0, 16_000, 2)
    for seed in range(12):
        found = kws.background(np.random.default_rng(seed), 20_000, [clip])
        assert found.shape == (20_000,)
        assert np.sqrt(np.mean(found**2)) == pytest.approx(1, rel=1e-3)
