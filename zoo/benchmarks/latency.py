"""What a prediction of one model costs, on every format and peer: file, cold start, latency, throughput, memory, score.

`zoo bench NAME|PATH` prints it; `make bench` measures the HAR models and writes `results/latency.csv`. How: see
`zoo/benchmarks/README.md`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo import registry
from zoo.benchmarks import peers, process, results, side_by_side, subjects
from zoo.benchmarks.peers import Peer
from zoo.benchmarks.subjects import Subject
from zoo.errors import InvalidInput

KERAS, ONNX = "Keras predict", "ONNX Runtime"


def measure(
    given: str,
    batches: Sequence[int],
    rounds: int,
    *,
    against: Sequence[str] | None = None,
    time: int | None = None,
    threads: Sequence[int] = (1,),
    quantize: Sequence[str] = (),
    cold: bool = False,
) -> list[dict[str, Any]]:
    """One row a runtime, batch size and number of threads; `ratio_to_keras` is how many times faster than `predict` its
    median is. Each number of threads has a process of its own. `against` names peers; else it is those that are usual
    for what was given.

    Raises UnknownName (model, peer, quantisation), InvalidInput (sizes, a file that a peer cannot read), ParityError.
    """
    require_positive("Batch sizes", batches)
    require_positive("Numbers of threads", threads)
    if max(threads) > process.cores():
        raise InvalidInput(f"Numbers of threads {list(threads)}: this process may use {process.cores()} cores.")
    subject = subjects.subject(given)
    against = peers.usual(subject) if against is None else against
    peers.able(subject, against, quantize)
    request = {"given": given, "batches": batches, "rounds": rounds, "against": against, "time": time}
    request |= {"quantize": quantize, "cold": cold}
    facts = results.conditions(results.installed(results.RUNTIMES, against), rounds=rounds)
    return [
        row | facts
        for count in threads
        for row in process.apart("zoo.benchmarks.latency:rows", request | {"threads": count}, count)
    ]


def rows(
    given: str,
    batches: Sequence[int],
    rounds: int,
    against: Sequence[str],
    time: int | None,
    quantize: Sequence[str],
    threads: int,
    cold: bool,
) -> list[dict[str, Any]]:
    """The rows of one number of threads, measured in this process."""
    subject = subjects.subject(given)
    found = peers.able(subject, against, quantize)
    known = {
        peer.title: side_by_side.described(subject, peer, subject.inputs(batches[0], time), cold)
        | scored(subject, peer)
        for peer in found
    }
    return [row for batch in batches for row in _of_batch(subject, found, known, batch, time, threads, rounds)]


def _of_batch(
    subject: Subject,
    found: Sequence[Peer],
    known: Mapping[str, Mapping[str, Any]],
    batch: int,
    time: int | None,
    threads: int,
    rounds: int,
) -> list[dict[str, Any]]:
    inputs = subject.inputs(batch, time)
    first = next(iter(inputs.values()))
    size = {"threads": threads, "batch": batch, "time": first.shape[1] if first.ndim > 1 else 1}
    made = side_by_side.timed(subject, found, known, inputs, threads, rounds)
    side_by_side.with_ratio(made, KERAS, "ratio_to_keras")
    return [{"model": subject.given, "runtime": row["runtime"], **size, **row} for row in made]


def scored(subject: Subject, peer: Peer) -> dict[str, Any]:
    """The score on the test split that the card has of this form of the model, if it has one."""
    form = (peer.backend, peer.quantize)
    form = ("onnx", "int8") if form == ("onnx", "dynamic") else form  # one file by two names, see export/quantize.py
    for score in subject.spec.scores if subject.spec and peer.backend else ():
        if (score.backend, score.quantize) == form and score.split == "test":
            return {"metric": score.metric, "score": round(score.value, 4)}
    return {"metric": "", "score": ""}


def require_positive(what: str, sizes: Sequence[int]) -> None:
    if not sizes or any(size < 1 for size in sizes):
        raise InvalidInput(f"{what} {list(sizes)} must be 1 or more.")


def conditions(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{rows[0]['time']} steps, {rows[0]['rounds']} rounds, {rows[0]['device']}, {rows[0]['versions']}"


if __name__ == "__main__":
    found = [row for name in registry.names("*.har") for row in measure(name, (1, 32), 30)]
    print(results.write("latency", found))
