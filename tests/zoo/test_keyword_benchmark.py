import numpy as np
import pytest

from zoo.benchmarks import keywords as bench
from zoo.benchmarks import speakers
from zoo.datasets import kws
from zoo.datasets.kws import Sound
from zoo.features.keywords import Detector, smoothed

RNG = np.random.default_rng(0)


def word(start, end, label):
    return Sound(np.zeros(0), int(start * kws.RATE), int(end * kws.RATE), label)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_reports_over_a_whole_hour_are_those_of_the_detector(threshold):
    logits = np.repeat(RNG.normal(0, 6, (80, 6)), 12, 0)
    detector = Detector(kws.LABELS, kws.PACKET / kws.RATE, threshold)
    expected = [(item.time, kws.LABELS.index(item.label)) for item in detector.push(logits)]
    found = bench.detections(smoothed(logits), threshold)
    assert [label for _, label in found] == [label for _, label in expected]
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected])


def test_a_report_is_right_once_and_in_time():
    sounds = [word(1, 1.5, 2), word(5, 5.5, kws.UNKNOWN), word(8, 8.4, 3)]
    reports = [(1.6, 2), (2.4, 2), (5.3, 4), (8.5, 2), (9.3, 3)]  # right, again, on another word, wrong word, too late
    alarms, delays = bench.judged(reports, sounds)
    assert alarms == 4 and delays == pytest.approx([0.1])


def test_every_word_lies_where_the_hour_says_it_does(monkeypatch):
    tones = tuple(Sound(np.full(8000, 0.1 * (k + 1), "float32"), 0, 8000, 2 + k % 4) for k in range(8))
    monkeypatch.setattr(kws, "words", lambda which: tones)
    monkeypatch.setattr(kws, "digits", lambda which: (Sound(np.full(4000, 0.9, "float32"), 0, 4000, kws.UNKNOWN),))
    monkeypatch.setattr(kws, "background", lambda rng, samples, clips: np.zeros(samples, "float32"))
    wave, sounds = bench.hour(np.random.default_rng(0), minutes=2)
    assert len(wave) == 2 * bench.MINUTE and len(sounds) == 8 + 2 * 16
    assert sorted(item.label for item in sounds if item.label != kws.UNKNOWN) == [2, 2, 3, 3, 4, 4, 5, 5]
    for item in sounds:
        assert wave[item.start + 10] != 0
    heard = sum(item.end - item.start for item in sounds)
    assert np.count_nonzero(wave) == pytest.approx(heard, rel=0.02)


def test_the_curve_has_a_point_for_every_threshold(monkeypatch):
    class Stream:
        def push(self, wave):
            mean = wave[0, :, 0].reshape(-1, kws.PACKET).mean(-1)
            return 12 * np.eye(6)[None, np.where(mean > 0.1, 2, 0)]

    class Fake:
        def stream(self):
            return Stream()

    monkeypatch.setattr(bench.registry, "file", lambda name, file: file)
    monkeypatch.setattr(bench.runtime, "load", lambda path: Fake())
    wave = np.zeros(20 * kws.RATE, "float32")
    wave[5 * kws.RATE : 11 * kws.RATE // 2] = 0.5
    rows = bench.curve("gru_stream.kws", wave, [word(5, 5.5, 2)])
    assert [row["threshold"] for row in rows] == list(bench.THRESHOLDS)
    assert {row["false_alarms_per_hour"] for row in rows} == {0.0}
    assert rows[0]["missed"] == 0 and rows[0]["keywords"] == 1


def test_the_curve_is_drawn(tmp_path):
    rows = [{"model": "a.b", "false_alarms_per_hour": x, "missed": 1 / (1 + x)} for x in (0.0, 3.0, 9.0)]
    bench.plot(rows, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_every_speaker_is_held_out_once(monkeypatch, tmp_path):
    import dataclasses

    from zoo import recipes
    from zoo.datasets import Split, Splits, fsdd
    from zoo.spec import Score, from_json

    def takes(speaker):
        def load():
            digit = np.arange(20) % 10
            x = RNG.normal(0, 0.1, (20, 800, 1)).astype("float32")
            split = Split(x, digit.astype("int32"), np.zeros(20, "int32"))
            return Splits(split, split, split)

        return dataclasses.replace(fsdd.DATASET, load=load)

    small = recipes.get("gru.fsdd")
    small = dataclasses.replace(small, config={**small.config, "units": [3]}, batch_size=10)
    monkeypatch.setattr(speakers.recipes, "get", lambda name: small)
    monkeypatch.setattr(fsdd, "without", takes)
    monkeypatch.setattr(fsdd, "SPEAKERS", ("jackson", "theo"))
    score = speakers.measure("gru.fsdd", tmp_path, epochs=1)
    assert len(score.seeds) == 2 and score.value == pytest.approx(np.mean(score.seeds)) and score.examples == 40
    assert from_json(Score, (tmp_path / "gru.fsdd/scores/held_out_speaker.json").read_text()) == score
