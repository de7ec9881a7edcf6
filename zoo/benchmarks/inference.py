"""One recurrent layer at the sizes people use, on every runtime and peer: our files against the best of the others.

`zoo bench inference` prints it; `python -m zoo.benchmarks.inference` also writes `results/inference.csv`. Two threads,
float32 [B, T, D] in, the whole sequence out, the same weights everywhere, outputs compared before anything is timed.
Our TFLite files are made for the batch they are timed with.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.benchmarks import peers, process, results, side_by_side
from zoo.benchmarks.latency import ONNX
from zoo.benchmarks.subjects import Subject, one_layer
from zoo.benchmarks.training_steps import GATES, Point

GRID = (
    Point(1, 1, 128, 256),
    Point(1, 100, 64, 128),
    Point(8, 100, 64, 128),
    Point(32, 100, 64, 128),
    Point(64, 50, 256, 512),
)
AGAINST = ("keras", "litert", "keras-export", "litert-default", "torch", "openvino")
LEFT_OUT = ("Keras predict", "LiteRT, Keras export")  # no library calls the first in a loop; the second needs Flex
OURS = (ONNX, f"{ONNX}, 1 thread")
INT8 = (f"{ONNX}, dynamic", f"{ONNX}, dynamic, 1 thread")
LITERT, LITERT_INT8 = "LiteRT", "LiteRT, dynamic"
PLAIN_LITERT = "LiteRT, Keras export unrolled"
PEERS = ("OpenVINO", "OpenVINO, Keras export", "PyTorch", "ONNX Runtime, Keras export", "Keras tf.function")
THREADS, ROUNDS = 2, 7
COLUMNS = (
    "cell",
    "B, T, D, H",
    "ONNX ms",
    "of limit",
    "best peer",
    "OpenVINO",
    "PyTorch",
    "Keras export",
    "int8",
    "LiteRT ms",
    "its int8",
    "plain LiteRT",
)


def run(rounds: int = ROUNDS, grid: Sequence[Point] = GRID) -> list[dict[str, Any]]:
    """One row a cell, size and runtime; `times_onnx` is how many times as long as our float32 ONNX file it takes, on
    one thread or on all, whichever is faster."""
    packages = results.installed(results.RUNTIMES, AGAINST)
    facts = results.conditions(packages, threads=THREADS, rounds=rounds)
    request = {"rounds": rounds, "grid": [list(point) for point in grid]}
    made = process.apart("zoo.benchmarks.inference:rows", request, THREADS)
    return [row | facts for row in made]


def rows(rounds: int, grid: Sequence[Sequence[int]], threads: int = THREADS) -> list[dict[str, Any]]:
    """The rows, measured in this process."""
    usual = (peer for peer in peers.chosen(AGAINST, ("dynamic",)) if peer.title not in LEFT_OUT)
    found = [peers.alone(), peers.alone("dynamic"), *usual]
    points = [Point(*point) for point in grid]
    made = []
    for cell in GATES:
        subjects = {point[1:]: one_layer(cell, point) for point in points}  # points of one size share its files
        for point in points:
            made += _of_point(subjects[point[1:]], cell, point, found, threads, rounds)
    return made


def _of_point(
    subject: Subject, cell: str, point: Point, usual: Sequence[peers.Peer], threads: int, rounds: int
) -> list[dict[str, Any]]:
    found = peers.of_batch(usual, one_layer(cell, point, point.batch))
    inputs = subject.inputs(point.batch, point.steps)
    known = {peer.title: side_by_side.described(subject, peer, inputs, cold=False) for peer in found}
    made = side_by_side.timed(subject, found, known, inputs, threads, rounds)
    ours = min((row["p50_ms"] for row in made if row["runtime"] in OURS and row["p50_ms"]), default="")
    for row in made:
        row["times_onnx"] = round(row["p50_ms"] / ours, 3) if ours and row["p50_ms"] else ""
        for name in side_by_side.COLD:
            del row[name]
    return [{"cell": cell, **point._asdict(), **row} for row in made]


def points(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Mapping[str, Any]]]:
    """The rows of each cell and size, by runtime."""
    found: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["cell"], *(row[name] for name in Point._fields))
        found.setdefault(key, {})[row["runtime"]] = row
    return list(found.values())


def best_peer(by_runtime: Mapping[str, Mapping[str, Any]]) -> tuple[str, float] | None:
    """Who is fastest of those that are not ours, and how many times as long as ours it takes."""
    timed = [(float(by_runtime[name]["times_onnx"]), name) for name in PEERS if _timed(by_runtime.get(name))]
    return (min(timed)[1], min(timed)[0]) if timed else None


def _timed(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["times_onnx"] != ""


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a cell and size, for `COLUMNS`: of the peers how many times as long as ours they take; of int8 how many
    times faster than float32 on the same runtime; of plain LiteRT how many times as long as our TFLite file."""
    return [_line(by_runtime) for by_runtime in points(rows)]


def _line(found: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    best = best_peer(found)
    ours, int8 = _fastest(found, OURS), _fastest(found, INT8)

    def times(title: str) -> str:
        return f"{float(found[title]['times_onnx']):.2f}×" if _timed(found.get(title)) else "–"

    return (
        str(ours["cell"]).upper(),
        ", ".join(str(ours[name]) for name in Point._fields),
        f"{float(ours['p50_ms']):.3f}",
        f"{100 * float(ours['share_of_limit']):.0f} %",
        f"{best[1]:.2f}× {best[0]}" if best else "–",
        times("OpenVINO"),
        times("PyTorch"),
        times("ONNX Runtime, Keras export"),
        f"{float(ours['p50_ms']) / float(int8['p50_ms']):.2f}×" if int8 else "–",
        f"{float(found[LITERT]['p50_ms']):.3f}" if _timed(found.get(LITERT)) else "–",
        _faster(found, LITERT, LITERT_INT8),
        _faster(found, PLAIN_LITERT, LITERT),
    )


def _fastest(found: Mapping[str, Mapping[str, Any]], titles: Sequence[str]) -> Mapping[str, Any]:
    """The row of a file on all threads or on one, whichever is faster; none where neither has a time."""
    timed = [found[name] for name in titles if _timed(found.get(name))]
    return min(timed, key=lambda row: float(row["p50_ms"]), default={})


def _faster(found: Mapping[str, Mapping[str, Any]], slow: str, fast: str) -> str:
    if not (_timed(found.get(slow)) and _timed(found.get(fast))):
        return "–"
    return f"{float(found[slow]['p50_ms']) / float(found[fast]['p50_ms']):.2f}×"


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """The geometric mean of the best peer over ours, the machine, and the conditions."""
    best = [found[1] for found in map(best_peer, points(rows)) if found]
    mean = f"{float(np.exp(np.mean(np.log(best)))):.2f}×" if best else "–"
    first = next(row for row in rows if row["matmul_gflops"] != "")
    return (
        f"one layer, one call; the best peer takes {mean} our ONNX file's time in the geometric mean, least "
        f"{min(best, default=float('nan')):.2f}×; {first['threads']} threads, {first['rounds']} rounds, "
        f"{float(first['matmul_gflops']):.0f} GFLOP/s, {float(first['memory_gbs']):.0f} GB/s, {first['device']}, "
        f"{first['versions']}"
    )


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.latency_by_batch(rows, path)


if __name__ == "__main__":
    print(results.write("inference", run()))
