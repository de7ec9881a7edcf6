"""Timing that a noisy machine cannot bend: every candidate has its turn in every round, and medians are compared."""

import time
from collections.abc import Callable, Mapping

import numpy as np


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 3) -> dict[str, np.ndarray]:
    """Seconds of each call, [rounds] a candidate."""
    for call in candidates.values():
        for _ in range(warm_up):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: np.array(values) for name, values in seconds.items()}
