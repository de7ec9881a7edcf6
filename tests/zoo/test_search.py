"""Searches against exhaustive search on a toy vocabulary, whose model is a table of chances that depend on all tokens
so far."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InvalidInput
from zoo.features.search import Sampling, beam, log_softmax, sample

START, END, TOKENS = 1, 0, 4


class Toy:
    """Logits that are a hash of all tokens since the start; the state is that history in base 10."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def logits(self, history: int) -> np.ndarray:
        return np.random.default_rng([self.seed, history]).normal(size=TOKENS) * 2

    def step(self, tokens, states):
        history = states["history"] * 10 + tokens
        logits = np.stack([self.logits(int(row)) for row in history])
        return logits, {"history": history}, history[:, None].astype("float64")

    def log_probability(self, tokens: tuple[int, ...], ended: bool) -> float:
        history, total = START, 0.0
        for token in (*tokens, END) if ended else tokens:
            total += math.log(math.exp(self.logits(history)[token]) / sum(math.exp(v) for v in self.logits(history)))
            history = history * 10 + token
        return total

    def everything(self, longest: int) -> dict[tuple[int, ...], float]:
        """Every hypothesis of at most `longest` tokens with its probability's logarithm."""
        words = [word for size in range(longest + 1) for word in itertools.product(range(1, TOKENS), repeat=size)]
        return {word: self.log_probability(word, ended=len(word) < longest) for word in words}


def states(rows: int) -> dict[str, np.ndarray]:
    return {"history": np.zeros(rows, "int64")}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("length_power", [0.0, 0.6, 1.0])
def test_a_beam_as_wide_as_all_hypotheses_finds_the_best_of_them(seed, length_power):
    toy, longest = Toy(seed), 4
    expected = {
        word: value / (len(word) + (len(word) < longest)) ** length_power
        for word, value in toy.everything(longest).items()
    }
    (found,) = beam(toy.step, states(1), start=START, end=END, width=200, longest=[longest], length_power=length_power)
    order = sorted(expected, key=lambda word: -expected[word])
    assert {item.tokens for item in found} <= expected.keys()
    assert found[0].tokens == order[0]
    np.testing.assert_allclose(found[0].score(length_power), expected[order[0]], rtol=1e-9)


def test_all_hypotheses_are_found_with_their_probabilities_which_sum_to_one():
    toy, longest = Toy(3), 3
    (found,) = beam(toy.step, states(1), start=START, end=END, width=200, longest=[longest])
    expected = toy.everything(longest)
    assert {item.tokens for item in found} == expected.keys()
    for item in found:
        np.testing.assert_allclose(item.log_probability, expected[item.tokens], rtol=1e-9)
    assert sum(math.exp(item.log_probability) for item in found) == pytest.approx(
        sum(math.exp(value) for value in expected.values())
    )


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_takes_the_most_probable_token_each_time(seed):
    toy, history, expected = Toy(seed), START, []
    while len(expected) < 6 and (token := int(toy.logits(history).argmax())) != END:
        expected.append(token)
        history = history * 10 + token
    ((found,),) = beam(toy.step, states(1), start=START, end=END, width=1, longest=[6])
    assert list(found.tokens) == expected and found.ended == (len(expected) < 6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4))
def test_examples_in_one_batch_are_found_as_each_alone(limits, width):
    toy = Toy(7)

    def step(tokens, given):
        history = given["history"] * 10 + tokens
        return np.stack([toy.logits(int(row)) for row in history]), {"history": history}, None

    starts = {"history": np.arange(len(limits), dtype="int64")}
    together = beam(step, starts, start=START, end=END, width=width, longest=limits)
    for row, limit in enumerate(limits):
        alone = beam(
            step, {"history": starts["history"][row : row + 1]}, start=START, end=END, width=width, longest=[limit]
        )
        assert together[row] == alone[0]


def test_looks_are_those_of_the_hypothesis_they_belong_to():
    (found,) = beam(Toy(2).step, states(1), start=START, end=END, width=3, longest=[4])
    for item in found:
        assert len(item.looks) == len(item.tokens) + item.ended
        history = START
        for look, token in zip(item.looks, (*item.tokens, END), strict=False):
            assert look.tolist() == [history]
            history = history * 10 + token


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"width": 0, "longest": [3]}, "A beam search keeps at least 1 beam, not 0."),
        ({"width": 2, "longest": [3, 0]}, "A hypothesis needs room for at least 1 token, not 0."),
    ],
)
def test_a_beam_search_without_room_is_refused(settings, text):
    with pytest.raises(InvalidInput) as caught:
        beam(Toy(0).step, states(2), start=START, end=END, **settings)
    assert str(caught.value) == text


LOGITS = np.log([0.1, 0.4, 0.2, 0.3])


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.1, 0.4, 0.2, 0.3]),
        (Sampling(top_k=1), [0, 1, 0, 0]),
        (Sampling(temperature=0.5), np.array([1, 16, 4, 9]) / 30),
        (Sampling(top_k=2), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(top_p=0.4), [0, 1, 0, 0]),
        (Sampling(top_p=0.41), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(top_k=3, top_p=0.7), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(top_k=99), [0.1, 0.4, 0.2, 0.3]),
    ],
)
def test_the_chances_of_tokens_follow_temperature_top_k_and_top_p(sampling, expected):
    np.testing.assert_allclose(sampling.probabilities(LOGITS), expected, atol=1e-12)


def test_tokens_are_drawn_as_often_as_their_chances_say_after_every_history():
    toy, rng = Toy(1), np.random.default_rng(0)
    pairs = np.zeros((TOKENS, TOKENS))
    for _ in range(4000):
        drawn = sample(toy.step, states(1), first=START, sampling=Sampling(temperature=2.0), rng=rng)
        pairs[next(drawn), next(drawn)] += 1
    first = np.exp(log_softmax(toy.logits(START) / 2))
    expected = [first[token] * np.exp(log_softmax(toy.logits(START * 10 + token) / 2)) for token in range(TOKENS)]
    np.testing.assert_allclose(pairs / 4000, expected, atol=0.025)


def test_a_seed_repeats_a_text():
    def text(seed):
        drawn = sample(Toy(0).step, states(1), first=START, sampling=Sampling(), rng=np.random.default_rng(seed))
        return [next(drawn) for _ in range(12)]

    assert text(5) == text(5) != text(6)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"temperature": -0.5},
            "temperature=-0.5 is out of range: 1 draws as the model says, less is tamer, more is wilder; top_k=1 "
            "takes the most probable token each time.",
        ),
        (
            {"temperature": 0.0},
            "temperature=0 is out of range: 1 draws as the model says, less is tamer, more is wilder; top_k=1 "
            "takes the most probable token each time.",
        ),
        (
            {"temperature": math.nan},
            "temperature=nan is out of range: 1 draws as the model says, less is tamer, more is wilder; top_k=1 "
            "takes the most probable token each time.",
        ),
        ({"top_k": -1}, "top_k=-1 is out of range: it counts tokens, and 0 keeps all."),
        ({"top_p": 0.0}, "top_p=0 is out of range: it is a share above 0 and up to 1, which keeps all."),
        ({"top_p": 1.5}, "top_p=1.5 is out of range: it is a share above 0 and up to 1, which keeps all."),
    ],
)
def test_sampling_out_of_range_is_refused(settings, text):
    with pytest.raises(InvalidInput) as caught:
        Sampling(**settings)
    assert str(caught.value) == text
