import itertools

import numpy as np
import pytest

from zoo import models, recipes
from zoo.datasets import Split, kws
from zoo.datasets.recordings import lengths, padded
from zoo.recipes import kws as kws_recipes
from zoo.recipes import losses, sound

TONES = Split(
    padded([np.sin(np.arange(count) * 0.2) for count in (900, 1500, 2500)]), np.arange(3, dtype="int32"), np.arange(3)
)


def test_another_voice_is_shorter_or_longer_and_the_same_label():
    found = sound.vary(np.random.default_rng(0), TONES, stretch=0.2, tilt=0.3)
    ratio = lengths(found.x) / lengths(TONES.x)
    assert (np.abs(np.log(ratio)) <= 0.21).all() and np.ptp(ratio) > 0
    np.testing.assert_array_equal(found.y, TONES.y)


def test_a_faster_voice_is_a_higher_one():
    wave = TONES.x[2, :2500, 0]
    found = sound.voice(np.random.default_rng(0), wave, 0.3, 0.0)
    speed = len(wave) / len(found)
    peaks = [np.abs(np.fft.rfft(item, 8192)).argmax() for item in (wave, found)]
    assert abs(peaks[1] / peaks[0] - speed) < 0.02 and abs(speed - 1) > 0.02


@pytest.mark.parametrize("speed", [0.78, 1.0, 1.28])
def test_another_pace_keeps_pitch_and_loudness(speed):
    tone = np.sin(np.arange(16_000) * 2 * np.pi * 300 / 16_000).astype("float32")
    found = sound.paced(tone, speed, 16_000)
    assert len(found) == int(16_000 / speed)
    spectrum = np.abs(np.fft.rfft(found[500:-1000] * np.hanning(len(found) - 1500), 65_536))
    assert spectrum.argmax() * 16_000 / 65_536 == pytest.approx(300, abs=0.5)
    assert sound.power(found[500:-1000]) == pytest.approx(np.sqrt(0.5), rel=0.01)


def test_a_gap_is_20_to_100_ms_of_silence():
    rng = np.random.default_rng(0)
    for _ in range(20):
        silent = np.flatnonzero(sound._with_gap(rng, np.ones(32_000, "float32"), 16_000) == 0)
        assert np.ptp(silent) == len(silent) - 1 and len(silent) <= 1600
        assert len(silent) >= 320 or silent[-1] == 31_999


def test_a_room_adds_echoes_behind_each_sound_alone():
    click = np.zeros(16_000, "float32")
    click[4000] = 1
    found = sound._in_room(np.random.default_rng(0), click, 16_000)
    assert len(found) == 16_000 and found[4000] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found[:4000], 0, atol=1e-6)
    np.testing.assert_allclose(found[4000 + 3200 :], 0, atol=1e-6)
    assert sound.power(found[4001:4400]) > 0 and sound.power(found[4001:4400]) > 3 * sound.power(found[6000:7200])


def test_an_equaliser_changes_the_timbre_by_8_db_at_most_and_nothing_in_time():
    click = np.zeros(4000, "float32")
    click[2000] = 1
    for seed in range(5):
        found = sound._equalised(np.random.default_rng(seed), click)
        gains = 20 * np.log10(np.abs(np.fft.rfft(found)))
        assert len(found) == 4000 and np.abs(found).argmax() == 2000
        assert np.abs(gains).max() < 8.5 and np.ptp(gains) > 1


def test_a_filter_is_a_convolution():
    rng = np.random.default_rng(0)
    wave, taps = rng.normal(size=1000), rng.normal(size=77)
    np.testing.assert_allclose(sound._filtered(wave, taps), np.convolve(wave, taps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("samples", [40, 700, 16_000])
def test_any_wave_can_be_said_elsewhere(samples):
    wave = np.sin(np.arange(samples) * 0.1).astype("float32")
    for seed in range(20):
        found = sound.elsewhere(np.random.default_rng(seed), wave, 16_000)
        assert found.dtype == np.float32 and np.isfinite(found).all() and 0.75 < len(found) / samples < 1.3


def test_examples_have_one_length_and_peaks_over_a_wide_range():
    split = Split(np.repeat(TONES.x, 40, 0), np.repeat(TONES.y, 40))
    found = sound.augment(np.random.default_rng(0), split, length=2000)
    peaks = np.abs(found.x).max((1, 2))
    assert found.x.shape == (120, 2000, 1) and found.x.dtype == np.float32
    assert sound.FAINTEST * 0.5 < peaks.min() < 0.05 and 0.5 < peaks.max() <= 1
    np.testing.assert_array_equal(found.y, split.y)


def test_the_same_seed_gives_the_same_examples():
    first, second = (sound.augment(np.random.default_rng(5), TONES, length=2000).x for _ in range(2))
    np.testing.assert_array_equal(first, second)


def words():
    rng = np.random.default_rng(0)
    waves = [rng.normal(size=count) * np.hanning(count) for count in (4000, 6000, 8000, 5000)]
    return Split(padded(waves, kws.CLIP), np.array([kws.UNKNOWN, 2, 3, 5], "int32"))


def test_a_stream_says_what_to_answer_to_each_packet():
    split = words()
    found = kws_recipes.streams(np.random.default_rng(0), split)
    assert found.x.shape == (4, 38_400, 1) and found.y.shape == (4, 120)
    assert np.abs(found.x).max() <= 1
    for label, targets in zip(split.y, found.y, strict=True):
        assert label in targets and kws.SILENCE in targets and kws.IGNORED in targets


def test_one_stream_in_ten_is_background_alone():
    split = words().take(np.repeat(np.arange(4), 60))
    found = kws_recipes.streams(np.random.default_rng(0), split)
    silent = (found.y == kws.SILENCE).all(1)
    assert 0.04 < silent.mean() < 0.18
    assert np.isfinite(found.x).all() and np.abs(found.x).max() <= 1


def test_a_stream_of_digital_silence_is_silence(monkeypatch):
    monkeypatch.setattr(kws_recipes.kws, "background", lambda rng, samples, clips: np.zeros(samples, "float32"))
    monkeypatch.setattr(kws_recipes, "SILENT", 1.0)
    found = kws_recipes.streams(np.random.default_rng(0), words())
    assert not found.x.any() and not found.y.any()


def test_the_spotter_answers_once_a_packet():
    recipe = recipes.get("gru_stream.kws")
    model = models.build(recipe.family, recipe.config)
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 10 * kws.PACKET, 1)).astype("float32")
    assert model(wave).shape == (1, 10, len(kws.LABELS))


def test_the_four_recipes_of_the_digits_differ_in_the_architecture_alone():
    found = [recipes.get(f"{name}.fsdd") for name in ("lstm", "stacked_lstm", "bilstm", "gru")]
    architecture = {"recurrence", "units", "bidirectional", "pooling"}
    for recipe in found[1:]:
        assert {key: value for key, value in recipe.config.items() if key not in architecture} == {
            key: value for key, value in found[0].config.items() if key not in architecture
        }
        for field in ("dataset", "epochs", "batch_size", "learning_rate", "weight_decay", "average"):
            assert getattr(recipe, field) == getattr(found[0], field)


def test_every_class_counts_the_same_and_frames_without_a_target_do_not_count():
    logits = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    y = np.array([[0, -1, 2, -1], [-1, -1, 2, 2]])
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    of_each = -logarithms[0, 0, 0], -(logarithms[0, 2, 2] + logarithms[1, 2, 2] + logarithms[1, 3, 2]) / 3
    expected = np.mean(of_each)
    loss = losses.build(recipes.get("gru_stream.kws"))
    assert float(loss(y, logits)) == pytest.approx(float(expected), rel=1e-5)


def test_the_ctc_loss_is_that_of_all_paths_of_the_string():
    logits = np.random.default_rng(0).normal(size=(1, 5, 11)).astype("float32")
    rows = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    total = sum(
        np.prod([row[symbol] for row, symbol in zip(rows, path, strict=True)])
        for path in itertools.product((0, 3, 7), repeat=5)
        if [symbol for symbol, _ in itertools.groupby(path) if symbol] == [3, 7, 7]
    )
    loss = losses.build(recipes.get("bilstm_ctc.fsdd"))
    assert float(loss(np.array([[3, 7, 7, 0, 0, 0, 0]]), logits)) == pytest.approx(-np.log(total), rel=1e-4)
