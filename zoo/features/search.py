"""Which token comes next: greedy, beam and random search, once for every backend. NumPy only.

A search knows a model as `Step`, a function of the last token of each row and the row's states. Scores are natural
logarithms of probabilities. N examples, W beams, R rows, V tokens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.errors import InvalidInput

States = Mapping[str, np.ndarray]  # each [R, …]
Step = Callable[[np.ndarray, States], tuple[np.ndarray, States, np.ndarray | None]]
"""(tokens int [R], states) -> (logits [R, V], new states, what the step looked at [R, S] or None)"""


@dataclass(frozen=True)
class Hypothesis:
    """Tokens without start and end, the logarithm of their probability (the end included where there is one), and what
    each step looked at [T, S]. `ended` says that the end came before the limit."""

    tokens: tuple[int, ...]
    log_probability: float
    ended: bool
    looks: tuple[np.ndarray, ...] = ()

    def score(self, length_power: float) -> float:
        """The logarithm of the probability, divided by the length (the end counts) to that power: 1 is the mean."""
        return self.log_probability / float(len(self.tokens) + self.ended) ** length_power


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """
    >>> np.exp(log_softmax(np.array([0.0, 0.0]))).tolist()
    [0.5, 0.5]
    """
    shifted = logits.astype("float64") - logits.max(-1, keepdims=True)
    found: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return found


# ---------------------------------------------------------------------------------------------------------- beams


@dataclass
class _Search:
    """The search for one example: the rows it has in the model's batch (best first), and what is finished."""

    width: int
    longest: int
    alive: list[Hypothesis]
    done: list[Hypothesis] = field(default_factory=list)

    def take(self, scores: np.ndarray, looks: np.ndarray | None, end: int) -> list[int]:
        """Goes a step on with scores [rows, V] of the next token; returns the row each beam that stays comes from."""
        totals = scores + np.array([item.log_probability for item in self.alive])[:, None]
        kept: list[Hypothesis] = []
        rows: list[int] = []
        for place in _largest(totals.ravel(), 2 * self.width):  # every row may end, so twice as many as may stay
            row, token = divmod(int(place), totals.shape[1])
            item = self.alive[row]
            seen = item.looks if looks is None else (*item.looks, looks[row])
            if token == end:
                self.done.append(Hypothesis(item.tokens, float(totals[row, token]), True, seen))
            elif len(kept) < self.width:
                kept.append(Hypothesis((*item.tokens, token), float(totals[row, token]), False, seen))
                rows.append(row)
            if len(self.done) >= self.width or len(kept) >= self.width:
                break
        if len(self.done) >= self.width:
            kept, rows = [], []
        elif len(kept[0].tokens if kept else ()) >= self.longest:
            self.done += kept[: self.width - len(self.done)]
            kept, rows = [], []
        self.alive = kept
        return rows


def beam(
    step: Step, states: States, *, start: int, end: int, width: int, longest: Sequence[int], length_power: float = 1.0
) -> list[list[Hypothesis]]:
    """For each example its finished hypotheses, best first: at most `width`.

    states:  each [N, …], row k for example k
    longest: for each example how many tokens a hypothesis may have, not counting the end; one cut there competes too
    At every step the `width` most probable ways to go on are kept; an example is done as it has `width` finished
    hypotheses. With width=1 that is greedy search. Raises InvalidInput for a width or a limit below 1.
    """
    if width < 1:
        raise InvalidInput(f"A beam search keeps at least 1 beam, not {width}.")
    if min(longest, default=1) < 1:
        raise InvalidInput(f"A hypothesis needs room for at least 1 token, not {min(longest)}.")
    searches = [_Search(width, limit, [Hypothesis((), 0.0, False)]) for limit in longest]
    rows = list(range(len(searches)))
    while rows:
        states = {name: array[rows] for name, array in states.items()}
        active = [search for search in searches if search.alive]
        last = [item.tokens[-1] if item.tokens else start for search in active for item in search.alive]
        logits, states, looks = step(np.array(last, "int32"), states)
        scores, rows, first = log_softmax(logits), [], 0
        for search in active:
            mine = slice(first, first + len(search.alive))
            rows += [first + row for row in search.take(scores[mine], None if looks is None else looks[mine], end)]
            first = mine.stop
    return [sorted(search.done, key=lambda item: -item.score(length_power)) for search in searches]


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` largest of values [K] stand, largest first; of equal ones the first."""
    if len(values) > 4 * count:
        border = np.partition(values, len(values) - count)[-count]
        places = np.flatnonzero(values >= border)
    else:
        places = np.arange(len(values))
    return places[np.argsort(-values[places], kind="stable")][:count]


# --------------------------------------------------------------------------------------------------------- chance


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn: `temperature` flattens (above 1) or sharpens the distribution; of the tokens the `top_k`
    most probable stay (0: all), and of those the fewest that have a share of `top_p` together.

    Source of top_p: Holtzman et al. 2020, arXiv:1904.09751.
    Raises InvalidInput for a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise InvalidInput(
                f"temperature={self.temperature:g} is out of range: 1 draws as the model says, less is tamer, more is "
                "wilder; top_k=1 takes the most probable token each time."
            )
        if self.top_k < 0:
            raise InvalidInput(f"top_k={self.top_k} is out of range: it counts tokens, and 0 keeps all.")
        if not 0 < self.top_p <= 1:
            raise InvalidInput(
                f"top_p={self.top_p:g} is out of range: it is a share above 0 and up to 1, which keeps all."
            )

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[V] of logits [V]: those that are kept sum to 1."""
        order = np.argsort(-logits, kind="stable")
        below = logits.astype("float64") - logits.max()  # first, or a small temperature makes infinities of it
        chances = np.exp(log_softmax(below / self.temperature))[order]
        if self.top_k:
            chances[self.top_k :] = 0
        before = np.cumsum(chances) - chances
        chances[before >= self.top_p * chances.sum()] = 0
        found = np.empty_like(chances)
        found[order] = chances / chances.sum()
        return found

    def draw(self, rng: np.random.Generator, logits: np.ndarray) -> int:
        return int(rng.choice(len(logits), p=self.probabilities(logits)))


def sample(step: Step, states: States, *, first: int, sampling: Sampling, rng: np.random.Generator) -> Iterator[int]:
    """Tokens that follow `first`, one after another without end. states: each [1, …]."""
    token = first
    while True:
        logits, states, _ = step(np.array([token], "int32"), states)
        token = sampling.draw(rng, logits[0])
        yield token
