"""Cost against length, batch and units of one recurrent layer: how steep it is, and where it bends.

From (B, T, D, H) = (1, 100, 64, 128) one size at a time is changed. `slope` is that of the cost between a size and the
one before on logarithmic axes: 0 costs nothing more, 1 is in proportion, 2 quadratic. One thread. `zoo bench scaling`
prints it; `python -m zoo.benchmarks.scaling` also writes `results/scaling.csv`.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.benchmarks import peers, process, results, side_by_side
from zoo.benchmarks.subjects import one_layer
from zoo.benchmarks.training_steps import GATES, Point

BASE = Point(1, 100, 64, 128)
SIZES = {"steps": (10, 30, 100, 300, 1000), "batch": (1, 2, 4, 8, 16, 32, 64), "units": (32, 64, 128, 256, 512, 1024)}
AGAINST, LEFT_OUT = ("litert", "openvino"), ("OpenVINO, Keras export",)
BEND = 0.35  # the least change of the slope that is one
THREADS, ROUNDS = 1, 5
COLUMNS = ("cell", "against", "runtime", "from", "to", "slope", "bends at")


def run(rounds: int = ROUNDS, sizes: Mapping[str, Sequence[int]] | None = None) -> list[dict[str, Any]]:
    """One row a cell, size that is changed, its value, and runtime."""
    packages = results.installed(results.RUNTIMES, AGAINST)
    facts = results.conditions(packages, threads=THREADS, rounds=rounds)
    request = {"rounds": rounds, "sizes": {name: list(values) for name, values in (sizes or SIZES).items()}}
    made = process.apart("zoo.benchmarks.scaling:rows", request, THREADS)
    return [row | facts for row in made]


def rows(rounds: int, sizes: Mapping[str, Sequence[int]], threads: int = THREADS) -> list[dict[str, Any]]:
    """The rows, measured in this process."""
    found = [peer for peer in peers.chosen(AGAINST) if peer.title not in LEFT_OUT]
    return [
        row
        for cell in GATES
        for against, values in sizes.items()
        for row in with_slopes(
            [row for value in values for row in _of_size(cell, against, value, found, threads, rounds)]
        )
    ]


def _of_size(
    cell: str, against: str, value: int, usual: Sequence[peers.Peer], threads: int, rounds: int
) -> list[dict[str, Any]]:
    point = BASE._replace(**{against: value})
    subject, found = one_layer(cell, point), peers.of_batch(usual, one_layer(cell, point, point.batch))
    inputs = subject.inputs(point.batch, point.steps)
    known = {peer.title: {"status": side_by_side.described(subject, peer, inputs, False)["status"]} for peer in found}
    made = side_by_side.timed(subject, found, known, inputs, threads, rounds)
    return [{"cell": cell, "against": against, "value": value, **point._asdict(), **row} for row in made]


def with_slopes(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each row with its slope from the size before; the first of a runtime, and one without a time, has none."""
    before: dict[str, Mapping[str, Any]] = {}
    found = []
    for row in rows:
        last, slope = before.get(row["runtime"]), None
        if last is not None and row["p50_ms"] != "":
            slope = float(np.log(row["p50_ms"] / last["p50_ms"]) / np.log(row["value"] / last["value"]))
        if row["p50_ms"] != "":
            before[row["runtime"]] = row
        found.append({**row, "slope": "" if slope is None else round(slope, 2)})
    return found


def bend(rows: Sequence[Mapping[str, Any]]) -> str:
    """The value at which the slope changes most, if by `BEND` or more: `128 (0.71 → 1.52)`."""
    slopes = [(float(row["slope"]), row["value"]) for row in rows if row["slope"] != ""]
    changes = [
        (abs(after - before), place, before, after) for (before, place), (after, _) in itertools.pairwise(slopes)
    ]
    if not changes or max(changes)[0] < BEND:
        return "–"
    _, place, before, after = max(changes)
    return f"{place} ({before:.2f} → {after:.2f})"


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a cell, size and runtime, for `COLUMNS`: the slope over all sizes, and where it bends."""
    lines: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["p50_ms"] != "":
            lines.setdefault((row["cell"], row["against"], row["runtime"]), []).append(row)
    return [(cell.upper(), against, runtime, *_whole(found)) for (cell, against, runtime), found in lines.items()]


def _whole(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    (low, start), (high, end) = ((float(row["value"]), float(row["p50_ms"])) for row in (rows[0], rows[-1]))
    slope = np.log(end / start) / np.log(high / low)
    return f"{low:.0f}: {start:.3f} ms", f"{high:.0f}: {end:.3f} ms", f"{slope:.2f}", bend(rows)


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    first = rows[0]
    return (
        f"from B, T, D, H = {', '.join(map(str, BASE))}, one size at a time; {first['threads']} thread, "
        f"{first['rounds']} rounds, {first['device']}, {first['versions']}"
    )


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.cost_by_size(rows, path)


if __name__ == "__main__":
    print(results.write("scaling", run()))
