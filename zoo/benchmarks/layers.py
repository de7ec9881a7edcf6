"""A training step of `zoo.layers.LSTM` and `GRU` on the CPU against `keras.layers` and `torch.nn`: time and memory.

Times are medians of turns taken in one process, each with the rate of a large matrix product beside it; memory is the
peak of a process of its own. Run `python -m zoo.benchmarks.layers` (about ten minutes on two cores) to write
`results/layers.csv`, or `zoo bench layers`. Without PyTorch its rows say so.
"""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.benchmarks import process, results, side_by_side, timing
from zoo.benchmarks.torch_twin import import_torch
from zoo.benchmarks.training_steps import GATES, STEPS, Point, Step
from zoo.errors import ParityError

PACKAGES = ("tensorflow-cpu", "keras")
GRID = (
    Point(32, 100, 64, 128),
    Point(64, 50, 256, 512),
    Point(32, 28, 28, 64),
    Point(128, 128, 9, 64),
    Point(16, 400, 32, 256),
    Point(1, 1000, 64, 128),
)
THREADS, ROUNDS = 2, 9
ALLOWED = 1e-4  # relative difference of the losses
TIMES = ("p50_ms", "p90_ms", "times_zoo", "share_of_matmul_rate", "matmul_gflops")
MEMORY = ("peak_mib", "mib_before")
SIDE = 1024  # of the square matrices whose product is the machine's rate
COLUMNS = (
    "cell",
    "B, T, D, H",
    "zoo ms",
    "over keras",
    "over torch",
    "of matmul rate",
    "zoo MiB",
    "keras MiB",
    "torch MiB",
)


def run(rounds: int = ROUNDS, grid: Sequence[Point] = GRID) -> list[dict[str, Any]]:
    """One row a cell, size and library: time, times as long as ours, share of the matmul rate, and memory."""
    _limit_threads()
    facts = results.conditions(results.installed(PACKAGES, ("torch",)), threads=THREADS, rounds=rounds)
    timed = [row for cell in GATES for point in grid for row in times(cell, point, rounds)]
    return [{**row, **_memory(row), **facts} for row in timed]


def times(cell: str, point: Point, rounds: int) -> Iterator[dict[str, Any]]:
    """A row a library. Raises ParityError if their losses disagree: nothing is timed then."""
    status = {library: _status(library) for library in STEPS}
    steps = {library: make(cell, point) for library, make in STEPS.items() if status[library] == side_by_side.OK}
    _require_agreement(cell, point, steps)
    seconds = timing.interleaved({**steps, "matmul": _matmul()}, rounds, settle=1)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    rate = 2 * SIDE**3 / medians["matmul"]
    for library in STEPS:
        row = {"cell": cell, **point._asdict(), "library": library, "status": status[library]}
        if library not in steps:
            yield row | dict.fromkeys(TIMES, "")
            continue
        yield row | {
            "p50_ms": round(1e3 * medians[library], 3),
            "p90_ms": round(1e3 * float(np.percentile(seconds[library], 90)), 3),
            "times_zoo": round(medians[library] / medians["zoo"], 2),
            "share_of_matmul_rate": round(point.operations(cell) / medians[library] / rate, 3),
            "matmul_gflops": round(rate / 1e9, 1),
        }


def _status(library: str) -> str:
    missing = library == "torch" and importlib.util.find_spec("torch") is None
    return f"{side_by_side.ABSENT}: torch" if missing else side_by_side.OK


def _memory(row: dict[str, Any]) -> Mapping[str, Any]:
    if row["status"] != side_by_side.OK:
        return dict.fromkeys(MEMORY, "")
    return memory(row["library"], row["cell"], _point(row))


def memory(library: str, cell: str, point: Point) -> dict[str, int]:
    """MiB resident at the peak of three training steps, compilation included, and before the first of them."""
    request = {"library": library, "cell": cell, "point": list(point)}
    before, peak = process.apart("zoo.benchmarks.layers:resident", request, THREADS)
    return dict(zip(MEMORY, (round(peak), round(before)), strict=True))


def resident(library: str, cell: str, point: Sequence[int]) -> tuple[float, float]:
    """MiB of this process before the first training step and at the peak of three."""
    step = STEPS[library](cell, Point(*point))
    before = _resident("VmRSS")
    for _ in range(3):
        step()
    return before, _resident("VmHWM")


def table(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A line a cell and size, for `COLUMNS`."""
    lines = []
    for zoo, keras, torch in zip(*(_of(rows, library) for library in STEPS), strict=True):
        size = ", ".join(map(str, _point(zoo)))
        ratios = (f"{peer['times_zoo']:.2f}×" if peer["times_zoo"] else "–" for peer in (keras, torch))
        peaks = (str(row["peak_mib"] or "–") for row in (zoo, keras, torch))
        share = f"{100 * zoo['share_of_matmul_rate']:.0f} %"
        lines.append((zoo["cell"], size, f"{zoo['p50_ms']:.2f}", *ratios, share, *peaks))
    return lines


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """The geometric means over the grid, and the conditions."""
    first = rows[0]
    return (
        f"training step, geometric mean: {_mean(rows, 'keras')} Keras, {_mean(rows, 'torch')} PyTorch; "
        f"{first['threads']} threads, {first['rounds']} rounds, {first['device']}, {first['versions']}"
    )


def _mean(rows: Sequence[dict[str, Any]], library: str) -> str:
    times = [row["times_zoo"] for row in _of(rows, library)]
    return f"{float(np.exp(np.mean(np.log(times)))):.2f}×" if all(times) else "–"


def plot(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.training_steps(rows, path)


def _of(rows: Sequence[dict[str, Any]], library: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["library"] == library]


def _point(row: dict[str, Any]) -> Point:
    return Point(*(int(row[name]) for name in Point._fields))


def _require_agreement(cell: str, point: Point, steps: dict[str, Step]) -> None:
    losses = {library: step() for library, step in steps.items()}
    for library, loss in losses.items():
        if not abs(loss - losses["keras"]) <= ALLOWED * abs(losses["keras"]):
            raise ParityError(
                f"{cell} {tuple(point)}: the loss of {library} is {loss:.6g}, that of keras {losses['keras']:.6g} "
                f"(allowed {ALLOWED:.0e}): nothing was timed."
            )


def _matmul() -> Step:
    import tensorflow as tf

    matrix = tf.random.stateless_normal((SIDE, SIDE), (0, 0))
    return lambda: float(tf.matmul(matrix, matrix)[0, 0])


def _limit_threads() -> None:
    """Both libraries to `THREADS` threads. TensorFlow takes that only before it has computed anything."""
    import tensorflow as tf

    if _status("torch") == side_by_side.OK:
        import_torch().set_num_threads(THREADS)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def _resident(name: str) -> float:
    """MiB of a line of Linux' account of this process; unlike `getrusage` it holds nothing of the process before."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(results.write("layers", run()))
