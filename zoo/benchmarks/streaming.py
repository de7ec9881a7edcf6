"""One step at a time: what a step costs, and how many real-time streams one core carries.

A recurrent layer over frames of 64 features, one every 20 ms, its states with the caller (`Stream.push`), at batch 1
and, for the number of streams, stacked (`Stream.stack`); and the models of the zoo that listen to a stream, by packets
of 20 ms. `zoo bench streaming` prints it; `python -m zoo.benchmarks.streaming` also writes `results/streaming.csv`.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import export
from export import check, runtime
from zoo import registry
from zoo.benchmarks import machine, process, results, side_by_side, timing
from zoo.benchmarks.subjects import Subject
from zoo.benchmarks.torch_twin import Stepped
from zoo.benchmarks.training_steps import GATES
from zoo.errors import MissingDependency, ParityError
from zoo.spec import ModelSpec

UNITS = (64, 128, 256, 512, 1024)
FEATURES = 64
PERIOD = 0.02  # seconds between two frames of a stream
STACKS = (8, 32, 128, 512)  # streams pushed at once
CHECKED = 5  # steps compared with Keras before any timing
FORMS = (
    ("ONNX Runtime", "onnx", None),
    ("ONNX Runtime, dynamic", "onnx", "dynamic"),
    ("LiteRT", "tflite", None),
    ("LiteRT, dynamic", "tflite", "dynamic"),
)
TORCH = "PyTorch"
THREADS, ROUNDS = 1, 15
TIMES = ("p50_us", "p99_us", "share_of_limit", "streams", "stacked_streams", "stack")
COLUMNS = ("model", "units", "runtime", "µs a step", "p99", "of limit", "streams a core", "stacked")
Push = Callable[[np.ndarray], np.ndarray]


def run(rounds: int = ROUNDS, units: Sequence[int] = UNITS) -> list[dict[str, Any]]:
    """One row a layer or model, size and runtime. `streams` is how many a core carries one by one; `stacked_streams`
    how many at once, and `stack` at what number of rows."""
    packages = results.installed(results.RUNTIMES, ("torch",))
    facts = results.conditions(packages, threads=THREADS, rounds=rounds)
    request = {"rounds": rounds, "units": list(units)}
    made = process.apart("zoo.benchmarks.streaming:rows", request, THREADS)
    return [row | facts for row in made]


def rows(rounds: int, units: Sequence[int], threads: int = THREADS) -> list[dict[str, Any]]:
    """The rows, measured in this process."""
    layers = [row for cell in GATES for size in units for row in of_layer(cell, size, rounds)]
    return layers + [row for name in listening() for row in of_model(name, rounds)]


def listening() -> list[str]:
    """The models of the zoo that take sound and ship a file for streams."""
    return [name for name in registry.all_names() if "streaming.onnx" in registry.get(name).files and _rate(name)]


def _rate(name: str) -> float:
    return registry.get(name).sample_rate or 0.0


@dataclass(frozen=True)
class Candidate:
    """`opened` starts a stream of so many rows; without it the row says what is `missing`."""

    title: str
    opened: Callable[[int], Push] | None
    bytes: int | str = ""
    quantize: str | None = None
    own: bool = True
    missing: str = ""


def of_layer(cell: str, units: int, rounds: int) -> list[dict[str, Any]]:
    """Raises ParityError if the steps of a float file of ours do not add up to what Keras makes of the whole."""
    subject = Subject(cell, layer=(cell, FEATURES, units))
    frame, x = (subject.inputs(1, steps)["x"] for steps in (1, CHECKED))
    work = machine.Work(0, 4 * GATES[cell] * units * (units + FEATURES), 1)
    with tempfile.TemporaryDirectory() as folder:
        found = [*_of_forms(subject.model, None, Path(folder)), _torch(cell, subject)]
        status = _statuses(cell, found, x, np.asarray(subject.model(x))[:, -1:])
        return _timed({"model": cell, "units": units}, found, status, frame, work, rounds)


def of_model(name: str, rounds: int) -> list[dict[str, Any]]:
    """A model of the zoo, fed 20 ms of sound at a time; its shipped file, and one in int8."""
    spec = registry.get(name)
    packet = _packet(spec)
    with tempfile.TemporaryDirectory() as folder:
        found = _of_forms(name, spec, Path(folder))
        shipped = runtime.load(registry.file(name, "streaming.onnx"))  # whose streams were checked when it was made
        push = shipped.stream().push
        want = [push(packet) for _ in range(CHECKED)][-1]
        status = _statuses(name, found, np.tile(packet, (1, CHECKED, 1)), want)
        return _timed({"model": name, "units": ""}, found, status, packet, None, rounds)


def _packet(spec: ModelSpec) -> np.ndarray:
    """Noise [1, samples, 1], 20 ms long."""
    samples = round((spec.sample_rate or 0) * PERIOD)
    return np.random.default_rng(0).normal(0, 0.1, (1, samples, 1)).astype("float32")


def _of_forms(model: Any, spec: ModelSpec | None, folder: Path) -> list[Candidate]:
    """Our files: those of a layer, or of a model, whose float file is shipped."""
    found = []
    for title, format, quantize in FORMS if spec is None else FORMS[:2]:
        path = folder / f"{quantize}.{format}"
        if spec is not None and quantize is None:
            path = registry.file(spec.name, "streaming.onnx")
        elif format == "onnx":
            export.to_onnx(model, path, streaming=True, quantize=quantize, check=False)
        else:
            export.to_tflite(model, path, streaming=True, quantize=quantize, check=False)
        found.append(Candidate(title, _pushing(runtime.load(path)), path.stat().st_size, quantize))
    return found


def _pushing(executor: Any) -> Callable[[int], Push]:
    return lambda batch: executor.stream(batch).push


def _torch(cell: str, subject: Subject) -> Candidate:
    try:
        twin = Stepped(cell, list(map(np.asarray, subject.model.get_weights())))
    except MissingDependency:
        return Candidate(TORCH, None, own=False, missing="torch")
    return Candidate(TORCH, twin.push_of, own=False)


def _statuses(name: str, found: Sequence[Candidate], frames: np.ndarray, want: np.ndarray) -> list[str]:
    """What a row says of each: frames [1, steps, …] are pushed one after another, the last answer must be `want`
    [1, 1, …]."""
    return [_agreement(name, candidate, np.split(frames, CHECKED, axis=1), want) for candidate in found]


def _agreement(name: str, candidate: Candidate, frames: Sequence[np.ndarray], want: np.ndarray) -> str:
    if candidate.opened is None:
        return f"{side_by_side.ABSENT}: {candidate.missing}"
    push = candidate.opened(1)
    difference = np.abs([push(frame) for frame in frames][-1] - want) / max(1.0, float(np.abs(want).max()))
    found, allowed = float(difference.max()), side_by_side.ALLOWED
    if candidate.quantize:
        found, allowed = float(np.sqrt(np.mean(difference**2))), check.ALLOWED[candidate.quantize]
    if found <= allowed:
        return side_by_side.OK
    text = f"steps differ by {found:.1e} (allowed {allowed:.0e})"
    if candidate.own and not candidate.quantize:
        raise ParityError(f"{name}: {candidate.title}: {text}: nothing was timed.")
    return f"disagrees: {text}"


def _timed(
    named: Mapping[str, Any],
    found: Sequence[Candidate],
    status: Sequence[str],
    frame: np.ndarray,
    work: machine.Work | None,
    rounds: int,
) -> list[dict[str, Any]]:
    """The limit is that of float32, so quantised files have no share of it."""
    weights = work.step_bytes if work else 0
    right = [item for item, text in zip(found, status, strict=True) if text == side_by_side.OK]
    opened = {item.title: item.opened for item in right if item.opened}
    calls = {title: _bound(start, 1, frame) for title, start in opened.items()}
    seconds = _turns(calls | machine.candidates(weights), rounds)
    limit, stacks = machine.limit(seconds, weights), _stacked(opened, frame, rounds)
    made = []
    for candidate, text in zip(found, status, strict=True):
        row = {
            **named,
            "runtime": candidate.title,
            "status": text,
            "bytes": candidate.bytes,
            **dict.fromkeys(TIMES, ""),
        }
        if candidate.title in opened:
            own = seconds[candidate.title]
            middle = float(np.median(own))
            row |= {"p50_us": round(1e6 * middle, 2), "p99_us": round(1e6 * float(np.percentile(own, 99)), 2)}
            if work and not candidate.quantize:
                row["share_of_limit"] = round(limit.seconds(work) / middle, 3)
            row |= {"streams": int(PERIOD / middle), **stacks[candidate.title]}
        made.append(row | limit.row())
    ours = made[0]["p50_us"]
    return [row | {"times_onnx": round(row["p50_us"] / ours, 3) if row["p50_us"] else ""} for row in made]


def _turns(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    pause, at_least = side_by_side.PAUSE, side_by_side.AT_LEAST
    return timing.interleaved(calls, rounds, settle=side_by_side.SETTLE, repeats=10, pause=pause, at_least=at_least)


def _bound(opened: Callable[[int], Push], batch: int, frame: np.ndarray) -> Callable[[], object]:
    push, frames = opened(batch), np.repeat(frame, batch, 0)
    return lambda: push(frames)


def _stacked(
    opened: Mapping[str, Callable[[int], Push]], frame: np.ndarray, rounds: int
) -> dict[str, dict[str, int | str]]:
    """The most streams that a core carries when so many rows go through a model at once: whole stacks, all in time."""
    best: dict[str, dict[str, int | str]] = {title: {"stacked_streams": "", "stack": ""} for title in opened}
    going = dict(opened)
    for count in STACKS:
        seconds = _turns({title: _bound(start, count, frame) for title, start in going.items()}, max(2, rounds // 5))
        for title, values in seconds.items():
            streams = count * int(PERIOD / float(np.median(values)))
            if not streams:
                del going[title]
            elif streams > int(best[title]["stacked_streams"] or 0):
                best[title] = {"stacked_streams": streams, "stack": count}
    return best


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a row, for `COLUMNS`; what has no time says why."""
    return [_line(row) for row in rows]


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    title = str(row["model"]).upper() if row["units"] else str(row["model"])
    named = (title, str(row["units"]), str(row["runtime"]))
    if row["p50_us"] == "":
        return (*named, str(row["status"]), "", "", "", "")
    return (
        *named,
        f"{float(row['p50_us']):.1f}",
        f"{float(row['p99_us']):.1f}",
        f"{100 * float(row['share_of_limit']):.0f} %" if row["share_of_limit"] != "" else "",
        f"{int(row['streams']):,}",
        f"{int(row['stacked_streams']):,} (by {row['stack']})" if row["stacked_streams"] != "" else "",
    )


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    first = rows[0]
    return (
        f"one step of {FEATURES} features, {first['threads']} thread; a stream has a step every "
        f"{1e3 * PERIOD:.0f} ms; {first['rounds']} rounds, {first['device']}, {first['versions']}"
    )


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from zoo.benchmarks import pictures

    return pictures.steps_by_units(rows, path)


if __name__ == "__main__":
    print(results.write("streaming", run()))
