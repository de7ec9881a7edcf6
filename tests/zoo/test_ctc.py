import itertools

import numpy as np
import pytest

from zoo.evaluation import metric
from zoo.features import ctc

RNG = np.random.default_rng(0)


def merged(path):
    """The string of a path, by definition: repeats merged, then blanks taken out."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def all_strings(logits):
    """{string: probability}, over every path there is."""
    rows = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        probability = np.prod([row[symbol] for row, symbol in zip(rows, path, strict=True)])
        found[merged(path)] = found.get(merged(path), 0.0) + probability
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_every_string_with_its_probability(seed):
    logits = np.random.default_rng(seed).normal(0, 2, (5, 3))
    expected = all_strings(logits)
    found = ctc.prefix_beam(logits, width=10_000)
    assert {tuple(string) for string, _ in found} == set(expected)
    for string, score in found:
        assert np.exp(score) == pytest.approx(expected[tuple(string)])
    assert tuple(found[0][0]) == max(expected, key=expected.get)


def test_a_narrow_beam_is_mostly_right():
    right = 0
    for _ in range(20):
        logits = RNG.normal(0, 2, (6, 4))
        expected = all_strings(logits)
        right += tuple(ctc.prefix_beam(logits, width=4)[0][0]) == max(expected, key=expected.get)
    assert right >= 18


def test_the_greedy_string_is_that_of_the_most_probable_path():
    for _ in range(20):
        logits = RNG.normal(0, 2, (6, 4))
        paths = list(itertools.product(range(4), repeat=6))
        best = max(paths, key=lambda path: sum(row[symbol] for row, symbol in zip(logits, path, strict=True)))
        assert tuple(ctc.greedy(logits)) == merged(best)


def test_the_most_probable_string_need_not_be_that_of_the_most_probable_path():
    logits = np.log([[0.6, 0.4], [0.6, 0.4]])  # the path of blanks has 0.36, the paths of one label have 0.64
    assert ctc.greedy(logits) == []
    assert ctc.prefix_beam(logits)[0][0] == [1]


def test_word_errors_obey_the_definition_of_an_edit_distance():
    def by_definition(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            by_definition(a[1:], b) + 1, by_definition(a, b[1:]) + 1, by_definition(a[1:], b[1:]) + (a[0] != b[0])
        )

    for _ in range(50):
        a, b = (RNG.integers(0, 3, RNG.integers(0, 6)).tolist() for _ in range(2))
        assert ctc.word_errors(a, b) == by_definition(a, b)


@pytest.mark.parametrize("name", ["word_error_rate", "word_error_rate_beam"])
def test_the_word_error_rate_counts_errors_over_the_words_of_all_strings(name):
    y = np.array([[1, 2, 2], [3, 0, 0]])
    paths = [[1, 1, 0, 2, 0, 2], [0, 3, 0, 1, 1, 0]]  # the second has a word too many
    logits = np.log(np.eye(4)[paths] + 1e-4)
    assert metric(name).measure(y, logits) == 1 / 4
    assert metric(name).percent and not metric(name).higher_is_better
