"""Timing that a noisy machine cannot bend: every candidate has its turn in every round, and medians are compared."""

import time
from collections.abc import Callable, Mapping

import numpy as np


def interleaved(
    candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 3, settle: int = 0
) -> dict[str, np.ndarray]:
    """Seconds of each call, [rounds] a candidate. Of each turn the first `settle` calls are not timed: in them the
    threads of the candidate before come to rest, and the caches fill."""
    for call in candidates.values():
        for _ in range(warm_up):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            for _ in range(settle):
                call()
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: np.array(values) for name, values in seconds.items()}
