"""The n-gram baseline of the surnames, on names whose language their ending gives away."""

import numpy as np
import pytest

from zoo.benchmarks import ngrams

ENDINGS = ("ov", "ini", "ez")


def names(seed, counts):
    rng = np.random.default_rng(seed)
    return [
        ("".join(rng.choice(list("abdgklmnrst"), 4)) + ENDINGS[label], label)
        for label, count in enumerate(counts)
        for _ in range(count)
    ]


def test_endings_are_learned_and_scored():
    found = ngrams.score(ngrams.fit(names(0, (60, 60, 60)), 4.0, balanced=False), names(1, (20, 20, 20)))
    assert found == {"macro_accuracy": 1.0, "accuracy": 1.0}


def test_a_rare_label_weighs_as_much_as_the_others_where_balanced():
    ambiguous = [("aaa", 0)] * 30 + [("aaa", 1)] * 3 + [("bbb", 0)] * 30 + [("ccc", 1)] * 1
    for balanced, expected in ((False, 0), (True, 1)):
        model = ngrams.fit(ambiguous, 1.0, balanced)
        assert model.predict(["aaac"])[0] == expected, balanced


def test_a_label_that_training_lacks_is_not_mistaken_for_another():
    train = names(0, (30, 0, 30))
    assert ngrams.score(ngrams.fit(train, 4.0, balanced=True), names(1, (10, 0, 10)))["accuracy"] == 1.0


def test_only_the_setting_that_is_best_on_validation_is_read_on_the_test_split():
    rows = ngrams.measure(names(0, (40, 40, 6)), names(1, (20, 20, 5)), names(2, (20, 20, 5)), strengths=(0.001, 4.0))
    assert [(row["balanced"], row["C"]) for row in rows] == [(False, 0.001), (False, 4.0), (True, 0.001), (True, 4.0)]
    scored = [row for row in rows if row["test_macro_accuracy"]]
    best = max(float(row["validation_macro_accuracy"]) for row in rows)
    assert [float(row["validation_macro_accuracy"]) for row in scored] == [pytest.approx(best)]
    assert {row["examples"] for row in rows} == {45}
