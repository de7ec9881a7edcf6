import numpy as np
import pytest

import zoo
from zoo import registry
from zoo.errors import UnknownName
from zoo.features import voice

DIGITS = "zero one two three four five six seven eight nine".split()


def level(wave, rate, frequency):
    """How loud the wave is within 100 Hz of a frequency."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    near = np.abs(np.fft.rfftfreq(len(wave), 1 / rate) - frequency) < 100
    return spectrum[near].mean()


def test_a_vowel_resounds_at_its_formants(monkeypatch):
    monkeypatch.setitem(voice.WORDS, "iii", "ih ih ih ih")
    wave = voice.say("iii", 16_000, pitch=90)
    first, between, second = (level(wave, 16_000, frequency) for frequency in (390, 1200, 1990))
    assert first > 5 * between and second > 2 * between


def test_a_pitch_is_how_often_the_wave_repeats(monkeypatch):
    monkeypatch.setitem(voice.WORDS, "aah", "aa aa")
    wave = voice.say("aah", 8000, pitch=100)[:1000]
    correlation = np.correlate(wave, wave, mode="full")[len(wave) :]
    assert abs(8000 / (40 + correlation[40:200].argmax() + 1) - 100) < 6


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_every_word_is_sound_of_its_length(rate):
    for word, sounds in voice.WORDS.items():
        wave = voice.say(word, rate, speed=2.0)
        seconds = sum(voice.SOUNDS[name][3] for name in sounds.split()) / 2
        assert wave.dtype == np.float32 and abs(len(wave) / rate - seconds) < 0.02
        assert np.abs(wave).max() == pytest.approx(0.5)
        np.testing.assert_array_equal(wave, voice.say(word, rate, speed=2.0))


def test_an_unknown_word_is_refused():
    with pytest.raises(UnknownName) as error:
        voice.say("sevn", 8000)
    assert str(error.value) == (f"Unknown word 'sevn'. Did you mean 'seven'? This voice says {', '.join(voice.WORDS)}.")


@pytest.mark.parametrize("name", ["lstm.fsdd", "stacked_lstm.fsdd", "bilstm.fsdd", "gru.fsdd"])
def test_a_pretrained_model_understands_the_voice(name):
    if name not in registry.all_names():
        pytest.skip(f"{name} is not installed")
    listen = zoo.pipeline(name)
    heard = [listen(voice.say(word, 8000))[0].label for word in DIGITS]
    assert sum(label == str(digit) for digit, label in enumerate(heard)) >= 9
