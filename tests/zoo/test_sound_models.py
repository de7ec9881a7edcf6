import numpy as np
import pytest

import export
from export.runtime import load
from zoo import models
from zoo.errors import Unsupported
from zoo.features import ctc

WAVE = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 1500, 1)).astype("float32")
pytestmark = pytest.mark.usefixtures("small_probes")
SOUND = {"sample_rate": 8000, "window": 128, "hop": 80, "bands": 12, "recurrence": "lstm", "units": [5]}
CTC = {**SOUND, "bidirectional": True, "classes": 4}
SPOTTER = {**SOUND, "classes": 4, "filters": 6, "kernel": 4, "stride": 2}


def zeros_behind(samples):
    return np.pad(WAVE, ((0, 0), (0, samples), (0, 0)))


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_zeros_behind_a_clip_do_not_change_its_label(pooling):
    model = models.build("wave_classifier", {**SOUND, "classes": 3, "pooling": pooling})
    alone = np.asarray(model(WAVE))
    for more in (1, 500):
        np.testing.assert_allclose(np.asarray(model(zeros_behind(more))), alone, atol=1e-6)


def test_zeros_behind_a_clip_do_not_change_its_string_or_its_probability():
    model = models.build("wave_ctc", CTC)
    alone, padded = np.asarray(model(WAVE)), np.asarray(model(zeros_behind(900)))
    for one, other in zip(alone, padded, strict=True):
        (string, score), (string_padded, score_padded) = ctc.prefix_beam(one)[0], ctc.prefix_beam(other)[0]
        assert string == string_padded and ctc.greedy(one) == ctc.greedy(other)
        assert score == pytest.approx(score_padded, abs=1e-4)


def test_training_does_not_touch_the_front_end():
    model = models.build("wave_spotter", SPOTTER)
    assert not [weight.path for weight in model.trainable_weights if "log_mel" in weight.path]
    assert [weight.path for weight in model.non_trainable_weights if "log_mel" in weight.path]


@pytest.mark.parametrize(
    ("family", "config"),
    [("wave_classifier", {**SOUND, "classes": 3}), ("wave_ctc", CTC), ("wave_spotter", SPOTTER)],
)
def test_every_family_exports_with_native_operators(family, config, tmp_path):
    artifacts = {
        item.format: item for item in export.export(models.build(family, config), ("onnx", "tflite"), out=tmp_path)
    }
    assert all(item.ok for item in artifacts.values())
    assert artifacts["onnx"].operators["LSTM"] == 1 and "Loop" not in artifacts["onnx"].operators
    fused = 2 if config.get("bidirectional") else 1
    assert artifacts["tflite"].operators["UNIDIRECTIONAL_SEQUENCE_LSTM"] == fused


def test_the_spotter_streams_in_packets(tmp_path):
    model = models.build("wave_spotter", SPOTTER)
    export.to_onnx(model, tmp_path / "stream.onnx", streaming=True)
    stream = load(tmp_path / "stream.onnx").stream(batch=2)
    pieces = [stream.push(WAVE[:, at : at + 160]) for at in range(0, 1500, 160)]
    assert [piece.shape[1] for piece in pieces] == [1] * 10
    np.testing.assert_allclose(np.concatenate(pieces, 1), np.asarray(model(WAVE)), atol=1e-5)


def test_the_classifier_hears_whole_clips_alone(tmp_path):
    with pytest.raises(Unsupported, match=r"^Layer 'edges' \(ZeroPadding1D\) cannot stream"):
        export.to_onnx(models.build("wave_classifier", {**SOUND, "classes": 3}), tmp_path / "a.onnx", streaming=True)
