"""`make bench-guard`: the inference suite again, held against its last results: ratios, never absolute times.

A ratio is how many times as long as our ONNX file a peer takes, or how many times faster a quantised file is. It may be
lost by noise, so a point that looks lost is measured a second time before it counts.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.benchmarks import inference, results, side_by_side
from zoo.benchmarks.latency import ONNX
from zoo.benchmarks.training_steps import Point
from zoo.errors import ParityError

LOSS = 0.25  # the share of a ratio that may be lost
Key = tuple[str, ...]


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[Key, float]:
    """By cell, size and what is compared: more is better for us."""
    found: dict[Key, float] = {}
    for by_runtime in inference.points(rows):
        for title, row in by_runtime.items():
            if row["times_onnx"] == "" or title in inference.OURS:
                continue
            ratio = float(row["times_onnx"])
            ours = title.startswith((ONNX + ",", "LiteRT")) and "Keras" not in title
            found[(*_place(row), title)] = 1 / ratio if ours else ratio
    return found


def _place(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(row["cell"]), *(str(row[name]) for name in Point._fields))


def lost(before: Mapping[Key, float], now: Mapping[Key, float]) -> dict[Key, tuple[float, float]]:
    """What was and what is, where more than `LOSS` is gone; what was measured before and is missing now is 0."""
    pairs = {key: (ratio, now.get(key, 0.0)) for key, ratio in before.items()}
    return {key: pair for key, pair in pairs.items() if pair[1] < (1 - LOSS) * pair[0]}


def check(rounds: int = inference.ROUNDS) -> str:
    """What to print: also which peers are not installed here, and so were left out. Raises ParityError that names the
    worst loss and how many there are."""
    rows = inference.run(rounds)
    absent = list(dict.fromkeys(row["runtime"] for row in rows if row["status"].startswith(side_by_side.ABSENT)))
    before = {key: ratio for key, ratio in ratios(results.read("inference")).items() if key[-1] not in absent}
    found = lost(before, ratios(rows))
    if found:
        again = [Point(*map(int, place)) for place in dict.fromkeys(key[1:-1] for key in found)]
        second = lost(before, ratios(inference.run(rounds, again)))
        found = {key: second[key] for key in found if key in second}
    if found:
        key, (was, now) = min(found.items(), key=lambda item: item[1][1] / item[1][0])
        raise ParityError(
            f"{len(found)} of {len(before)} ratios fell by more than {100 * LOSS:.0f} %, most of all {key[0]} "
            f"({', '.join(key[1:-1])}) beside {key[-1]}: {was:.2f} before, {now:.2f} now. If that is meant, run "
            "`make bench` to write new results."
        )
    without = f" Not installed: {', '.join(absent)}." if absent else ""
    return f"{len(before)} ratios, none of which fell by more than {100 * LOSS:.0f} %.{without}"


if __name__ == "__main__":
    try:
        print(check())
    except ParityError as error:
        sys.exit(f"bench-guard: {error}")
