"""Timing that a noisy machine cannot bend: every candidate has its turn in every round, and medians are compared."""

import time
from collections.abc import Callable, Mapping

import numpy as np

Call = Callable[[], object]


def interleaved(
    candidates: Mapping[str, Call],
    rounds: int,
    warm_up: int = 3,
    settle: int = 0,
    repeats: int = 1,
    pause: float = 0.0,
    at_least: float = 0.0,
    counted: float = 0.0,
) -> dict[str, np.ndarray]:
    """Seconds of each call, [rounds × repeats] or more a candidate.

    A turn is `repeats` calls, and as many more as `counted` seconds take: the median of a call of microseconds needs
    hundreds. Before it the candidate waits `pause` seconds, in which threads that the one before left
    spinning go to sleep, and makes `settle` calls that are not timed, and more until `at_least` seconds have passed, in
    which its own threads spread over the cores and the caches fill.
    """
    for call in candidates.values():
        for _ in range(warm_up):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            time.sleep(pause)
            _settle(call, settle, at_least)
            seconds[name] += _turn(call, repeats, counted)
    return {name: np.array(values) for name, values in seconds.items()}


def _settle(call: Call, calls: int, seconds: float) -> None:
    started = time.perf_counter()
    for _ in range(calls):
        call()
    while time.perf_counter() - started < seconds:
        call()


def _turn(call: Call, calls: int, seconds: float) -> list[float]:
    found: list[float] = []
    total = 0.0
    while len(found) < calls or total < seconds:
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
        total += found[-1]
    return found


def summary(seconds: np.ndarray) -> dict[str, float]:
    """What a row says of its calls: p50, p90 and p99 in ms; `spread`, the middle half of all calls, of the median.

    >>> summary(np.array([0.001, 0.002, 0.002, 0.002, 0.003]))
    {'p50_ms': 2.0, 'p90_ms': 2.6, 'p99_ms': 2.96, 'spread': 0.0}
    """
    low, middle, high, p90, p99 = np.percentile(1e3 * seconds, (25, 50, 75, 90, 99)).tolist()
    return {
        "p50_ms": round(middle, 4),
        "p90_ms": round(p90, 4),
        "p99_ms": round(p99, 4),
        "spread": round((high - low) / middle, 3),
    }
