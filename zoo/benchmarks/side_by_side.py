"""One subject on several peers, in one process: what each is and costs, and, if its outputs agree, how fast it is.

No row without agreement has a time. What is not installed, does not convert, does not run or disagrees is a row that
says so in `status`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.benchmarks import formats, machine, process, timing
from zoo.benchmarks.peers import Arrays, Peer, Run
from zoo.benchmarks.subjects import Subject
from zoo.errors import MissingDependency, ParityError, ZooError

OK, ABSENT = "ok", "not installed"
ALLOWED = 1e-3  # a larger difference is a wrong answer, not rounding
SETTLE, REPEATS = 2, 3  # calls
PAUSE, AT_LEAST, COUNTED = 0.03, 0.04, 0.005  # seconds
TIMES = ("p50_ms", "p90_ms", "p99_ms", "spread", "per_second", "share_of_limit")
COLD = ("cold_s", "cold_cpu_s", "peak_mib")
LIMITS = ("matmul_gflops", "memory_gbs", "weights_gbs")


def described(subject: Subject, peer: Peer, inputs: Arrays, cold: bool) -> dict[str, Any]:
    """What a row says of a peer before anything is timed: status, file, and the cost of a fresh process."""
    row: dict[str, Any] = {"status": OK, "operators": "", "bytes": "", **dict.fromkeys(COLD, "")}
    if (package := peer.missing()) is not None:
        return row | {"status": f"{ABSENT}: {package}"}
    try:
        if peer.file is not None:
            path = peer.file(subject)
            row |= {"operators": _operators(path), "bytes": size(path)}
    except Exception as error:  # plain export fails in many ways; each is a result
        return row | {"status": f"does not convert: {formats.first_line(error)}"}
    if cold and peer.cold is not None:
        try:
            row |= process.cold_start(peer.cold(subject, inputs))
        except (RuntimeError, ZooError) as error:
            row |= {"status": f"does not run: {formats.first_line(error)}"}
    return row


def _operators(path: Any) -> str:
    return formats.operators(path) if path.is_file() else ""


def size(path: Any) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(file.stat().st_size for file in files)


def timed(
    subject: Subject,
    peers: Sequence[Peer],
    known: Mapping[str, Mapping[str, Any]],
    inputs: Arrays,
    threads: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """One row a peer: `known[title]`, and what its turns say. Raises ParityError if a float file of ours disagrees."""
    rows: list[dict[str, Any]] = [
        {"runtime": peer.title, **known[peer.title], "difference": "", **dict.fromkeys((*TIMES, *LIMITS), "")}
        for peer in peers
    ]
    runs: dict[str, Run] = {}
    expected: list[np.ndarray] | None = _of_keras(subject, inputs, threads) if subject.runs_keras else None
    for peer, row in zip(peers, rows, strict=True):
        if row["status"] != OK:
            continue
        try:
            run = peer.open(subject, inputs, threads)
            got = [np.asarray(value) for value in run()]
        except MissingDependency:
            raise
        except Exception as error:  # a peer fails in its own ways; each is a result
            row["status"] = f"does not run: {formats.first_line(error)}"
            continue
        expected = expected or got
        if _agrees(subject, peer, row, got, expected):
            runs[peer.title] = run
    quantized = {peer.title for peer in peers if peer.quantize}
    _time(subject, rows, runs, quantized, inputs, rounds)
    return rows


def _of_keras(subject: Subject, inputs: Arrays, threads: int) -> list[np.ndarray]:
    from zoo.benchmarks import peers

    return [np.asarray(value) for value in peers.of("Keras tf.function").open(subject, inputs, threads)()]


def _agrees(
    subject: Subject, peer: Peer, row: dict[str, Any], got: Sequence[np.ndarray], want: Sequence[np.ndarray]
) -> bool:
    """By the largest difference, of quantised files by the root mean square, both relative where the output exceeds 1:
    as `export.check` has it."""
    pairs = list(zip(got, want, strict=True))
    if any(mine.shape != theirs.shape for mine, theirs in pairs):
        row["status"] = f"disagrees: shapes {[mine.shape for mine in got]}, not {[theirs.shape for theirs in want]}"
        return False
    differences = [
        np.abs(mine.astype("float64") - theirs) / max(1.0, float(np.abs(theirs).max())) for mine, theirs in pairs
    ]
    largest = _greatest([item.max() for item in differences])
    row["difference"] = f"{largest:.1e}"
    allowed, found = ALLOWED, largest
    if peer.quantize:
        from export import check

        allowed = check.ALLOWED[peer.quantize]
        found = _greatest([np.sqrt(np.mean(item**2)) for item in differences])
    if found <= allowed:
        return True
    text = f"differs from Keras by {found:.1e} (allowed {allowed:.0e})"
    if peer.own and not peer.quantize:
        raise ParityError(f"{subject.given}: {peer.title} {text}: nothing was timed.")
    row["status"] = f"disagrees: {text}"
    return False


def _greatest(values: Sequence[Any]) -> float:
    """NaN if one of them is: it agrees with nothing."""
    return float(np.max(values, initial=0.0))


def _time(
    subject: Subject,
    rows: Sequence[dict[str, Any]],
    runs: Mapping[str, Run],
    quantized: Collection[str],
    inputs: Arrays,
    rounds: int,
) -> None:
    """The limit is that of float32, so quantised files have no share of it."""
    first = next(iter(inputs.values()))
    batch, steps = len(first), first.shape[1] if first.ndim > 1 else 1
    work = subject.work(batch, steps)
    weights = work.step_bytes if work else 0
    calls = {**runs, **machine.candidates(weights)}
    seconds = timing.interleaved(
        calls, rounds, settle=SETTLE, repeats=REPEATS, pause=PAUSE, at_least=AT_LEAST, counted=COUNTED
    )
    limit = machine.limit(seconds, weights)
    for row in rows:
        if row["runtime"] in runs:
            middle = float(np.median(seconds[row["runtime"]]))
            row |= timing.summary(seconds[row["runtime"]]) | {"per_second": round(batch / middle, 1)} | limit.row()
            if work and row["runtime"] not in quantized:
                row["share_of_limit"] = round(limit.seconds(work) / middle, 3)


def with_ratio(rows: Sequence[dict[str, Any]], title: str, name: str) -> None:
    """Puts how many times faster than `title` each row is into its field `name`."""
    base = next((row["p50_ms"] for row in rows if row["runtime"] == title), "")
    for row in rows:
        row[name] = round(base / row["p50_ms"], 2) if base and row["p50_ms"] else ""
