import numpy as np
import pytest

from zoo.errors import InvalidInput
from zoo.features import keywords
from zoo.features.keywords import Detector

LABELS = ("silence", "unknown", "yes", "no")
SURE = 12.0


def logits(*stretches):
    """(label, packets) one after the other, as answers that are sure of themselves."""
    return np.concatenate([SURE * np.eye(4)[[label] * count] for label, count in stretches])


def detector(**change):
    return Detector(**{"labels": LABELS, "step": 0.02, **change})


def test_a_keyword_is_reported_once_when_half_of_the_last_ten_packets_say_so():
    found = detector().push(logits((0, 50), (2, 18), (0, 50)))
    assert [item.label for item in found] == ["yes"]
    assert found[0].time == pytest.approx((50 + 6) * 0.02)
    assert 0.5 < found[0].score < 0.7


def test_a_keyword_that_is_drawn_out_is_reported_once():
    assert [item.label for item in detector().push(logits((0, 20), (2, 200), (0, 20)))] == ["yes"]


def test_a_keyword_that_another_passes_without_a_gap_is_followed_by_it_at_a_low_threshold():
    found = detector(threshold=0.3).push(logits((0, 20), (2, 60), (3, 60), (0, 20)))
    assert [item.label for item in found] == ["yes", "no"]


def test_a_keyword_soon_after_another_is_reported_when_the_pause_is_over():
    found = detector().push(logits((0, 20), (2, 10), (0, 12), (3, 40), (0, 20)))
    assert [item.label for item in found] == ["yes", "no"]
    assert found[1].time == pytest.approx(found[0].time + keywords.PAUSE, abs=0.021)


def test_keywords_that_follow_one_another_are_all_reported():
    found = detector().push(logits((0, 20), (2, 18), (0, 30), (3, 18), (0, 30), (2, 18), (0, 9)))
    assert [item.label for item in found] == ["yes", "no", "yes"]


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(InvalidInput) as error:
        detector(threshold=threshold)
    assert str(error.value) == f"threshold={threshold:g} is out of range: it is a probability between 0 and 1."


def test_silence_and_other_words_are_not_reported():
    assert detector().push(logits((0, 50), (1, 50), (0, 50))) == []


def test_a_few_packets_are_no_keyword():
    assert detector().push(logits((0, 50), (2, 4), (0, 50))) == []


def test_packets_one_by_one_give_what_they_give_at_once():
    answers = logits((0, 20), (2, 18), (0, 40), (3, 18), (1, 20))
    one_by_one = detector()
    assert [item for row in answers for item in one_by_one.push(row[None])] == detector().push(answers)


def test_a_higher_threshold_reports_later():
    answers = logits((0, 20), (2, 18), (0, 40))
    early, late = (detector(threshold=value).push(answers)[0].time for value in (0.5, 0.9))
    assert late > early


def test_a_smoothed_probability_is_the_mean_over_ten_packets():
    answers = np.random.default_rng(0).normal(0, 2, (2, 30, 4))
    exponentials = np.exp(answers)
    rows = exponentials / exponentials.sum(-1, keepdims=True)
    for step in (0, 5, 9, 10, 29):
        expected = rows[:, max(0, step - 9) : step + 1].sum(1) / 10
        np.testing.assert_allclose(keywords.smoothed(answers)[:, step], expected)


def test_a_clip_is_its_keyword_else_another_word_else_silence():
    clips = np.stack(
        [logits((0, 20), (k, 12), (0, 20)) for k in (0, 1, 2, 3)]
        + [logits((0, 20), (3, 3), (0, 29)), logits((1, 30), (2, 9), (1, 13))]
    )
    assert keywords.decide(clips).tolist() == [0, 1, 2, 3, 0, 2]
