import re

import keras
import numpy as np
import pytest

import export
from export.runtime import load
from zoo.errors import Unsupported
from zoo.layers import GRU
from zoo.layers.blank_silence import BlankSilence
from zoo.layers.log_mel import LogMel

RNG = np.random.default_rng(0)
WAVE = RNG.uniform(-0.5, 0.5, (2, 1000, 1)).astype("float32")


def layer(**change):
    return LogMel(**{"bands": 12, "sample_rate": 8000, "window": 128, "hop": 50, **change})


def spectrogram(wave, window, hop):
    """Magnitudes [B, T, window // 2 + 1] of numpy's transform; a full-scale sine has 1."""
    frames = np.lib.stride_tricks.sliding_window_view(wave[..., 0].astype("float64"), window, axis=1)[:, ::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.abs(np.fft.rfft(frames * hann)) / hann.sum() * 2


def mel_bands(magnitudes, rate, window, bands, low, high):
    """Triangles of area 1 on the mel scale, one band after the other."""
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    corners = np.interp(
        np.linspace(2595 * np.log10(1 + low / 700), 2595 * np.log10(1 + high / 700), bands + 2),
        2595 * np.log10(1 + np.linspace(0, rate, 100_001) / 700),
        np.linspace(0, rate, 100_001),
    )
    found = []
    for left, centre, right in zip(corners, corners[1:], corners[2:], strict=False):
        weights = np.interp(frequencies, [left, centre, right], [0, 1, 0], left=0, right=0)
        found.append(magnitudes @ (weights / weights.sum()))
    return np.stack(found, -1)


def test_frames_are_those_of_a_fourier_transform_in_numpy():
    padded = np.pad(WAVE, ((0, 0), (128 - 50, 128), (0, 0)))
    expected = np.log(1 + mel_bands(spectrogram(padded, 128, 50), 8000, 128, 12, 80, 3800) / 1e-4)
    found = np.asarray(layer()(WAVE))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_causal_frames_end_at_every_hop():
    padded = np.pad(WAVE, ((0, 0), (127, 0), (0, 0)))
    expected = np.log(1 + mel_bands(spectrogram(padded, 128, 50), 8000, 128, 12, 80, 3800) / 1e-4)
    np.testing.assert_allclose(np.asarray(layer(causal=True)(WAVE)), expected, atol=2e-4)


def test_a_tone_lies_in_the_band_around_its_frequency():
    time = np.arange(4000) / 8000
    corners = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 80 / 700), 2595 * np.log10(1 + 3800 / 700), 14) / 2595) - 1)
    for band in (2, 6, 11):
        tone = 0.5 * np.sin(2 * np.pi * corners[band + 1] * time).astype("float32")
        assert np.asarray(layer()(tone[None, :, None]))[0, 20:60].mean(0).argmax() == band


def test_every_second_sample_is_kept_without_mirroring_what_lies_above():
    time = np.arange(8000) / 16000
    mirrored = 0.5 * np.sin(2 * np.pi * 6000 * time).astype("float32")  # would be heard at 2000 Hz
    passed = 0.5 * np.sin(2 * np.pi * 2000 * time).astype("float32")
    heard = [
        np.asarray(layer(sample_rate=16000, decimate=2)(tone[None, :, None]))[0, 20:60].max()
        for tone in (mirrored, passed)
    ]
    assert heard[1] - heard[0] > np.log(10 ** (40 / 20))  # 40 dB


def test_digital_silence_is_zero_and_masked_so_that_zeros_behind_a_clip_change_nothing():
    inputs = keras.Input((None, 1))
    answer = GRU(6)(keras.layers.Masking()(layer()(inputs)))
    model = keras.Model(inputs, answer)
    alone = np.asarray(model(WAVE))
    for more in (1, 49, 700):
        np.testing.assert_array_equal(np.asarray(model(np.pad(WAVE, ((0, 0), (0, more), (0, 0))))), alone)
    assert not np.asarray(layer()(np.zeros((1, 400, 1), "float32"))).any()


def test_training_leaves_the_transform_as_it_is():
    front = layer()
    front(WAVE)
    assert front.trainable_weights == [] and len(front.non_trainable_weights) == 2


def test_a_saved_model_has_the_layer_again(tmp_path):
    model = keras.Sequential([keras.Input((None, 1)), layer(causal=True, decimate=2, sample_rate=16000)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(again(WAVE)), np.asarray(model(WAVE)))


def model(causal):
    wave = keras.Input((None, 1), name="wave")
    x = layer(causal=causal)(wave)
    x = x if causal else keras.layers.Masking()(x)
    return keras.Model(wave, keras.layers.Dense(3, name="logits")(GRU(5, return_sequences=causal)(x)), name="hearing")


@pytest.mark.parametrize("causal", [False, True])
def test_exports_compute_the_same_frames_with_plain_convolutions(causal, tmp_path):
    artifacts = {item.format: item for item in export.export(model(causal), to=("onnx", "tflite"), out=tmp_path)}
    assert all(item.ok for item in artifacts.values())
    assert artifacts["onnx"].operators["Conv"] == 2 and artifacts["tflite"].operators["CONV_2D"] == 2


def test_causal_frames_stream_in_packets_of_any_size(tmp_path):
    spotter = model(causal=True)
    export.to_onnx(spotter, tmp_path / "stream.onnx", streaming=True)
    stream = load(tmp_path / "stream.onnx").stream(batch=2)
    pieces = np.split(WAVE, [1, 20, 21, 50, 300, 301, 999], axis=1)
    joined = np.concatenate([stream.push(piece) for piece in pieces], axis=1)
    np.testing.assert_allclose(joined, np.asarray(spotter(WAVE)), atol=1e-5)


def test_frames_that_reach_over_the_end_do_not_stream(tmp_path):
    with pytest.raises(Unsupported) as error:
        export.to_onnx(model(causal=False), tmp_path / "stream.onnx", streaming=True)
    assert str(error.value) == (
        "Layer 'edges' (ZeroPadding1D) cannot stream: it pads the ends of the sequence. "
        "Take it out, or export without streaming."
    )


def test_a_range_that_the_rate_cannot_hold_is_refused():
    text = "low=80.0 and high=4000 must lie between 0 and half of the 8000 Hz that the transform sees."
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        layer(high=4000)


def test_more_bands_than_frequencies_are_refused():
    text = "bands=60 is too many between 80 and 3800 Hz: a band holds no frequency."
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        layer(bands=60)


def test_silence_is_blank_for_certain():
    logits = keras.ops.ones((1, 2, 3))
    found = np.asarray(BlankSilence()(logits, mask=keras.ops.convert_to_tensor([[True, False]])))
    assert found.tolist() == [[[1, 1, 1], [20, -20, -20]]]
    assert np.asarray(BlankSilence()(logits)).tolist() == np.ones((1, 2, 3)).tolist()
