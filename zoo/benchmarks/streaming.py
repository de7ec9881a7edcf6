"""One step at a time: what a step costs, and how many real-time streams one core carries.

A recurrent layer over frames of 64 features, one every 20 ms, its states with the caller (`Stream.push`), at batch 1
and, for the number of streams, stacked (`Stream.stack`); and the models of the zoo that listen to a stream, by packets
of 20 ms. `zoo bench streaming` prints it; `python -m zoo.benchmarks.streaming` also writes `results/streaming.csv`.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.benchmarks import machine, process, results, side_by_side, timing
from zoo.benchmarks.subjects import Subject
from zoo.benchmarks.torch_twin import Stepped
from zoo.benchmarks.training_steps import GATES
from zoo.errors import MissingDependency, ParityError
from zoo.spec import ModelSpec

PACKAGES = ("tensorflow-cpu", "keras", "onnxruntime", "ai-edge-litert")
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
THREADS, ROUNDS = 1, 30
COMMAND = "python -m zoo.benchmarks.streaming"
COLUMNS = ("model", "units", "runtime", "µs a step", "p99", "of limit", "streams a core", "stacked")
Push = Callable[[np.ndarray], np.ndarray]


def run(rounds: int = ROUNDS, units: Sequence[int] = UNITS) -> list[dict[str, Any]]:
    """One row a layer or model, size and runtime. `streams` is how many a core carries one by one; `stacked_streams`
    how many at once, and `stack` at what number of rows."""
    request = {"rounds": rounds, "units": list(units)}
    made = process.apart("zoo.benchmarks.streaming:rows", request, THREADS)
    facts = {"threads": THREADS, "rounds": rounds, "command": COMMAND}
    return [row | facts | results.conditions(results.installed(PACKAGES, ("torch",))) for row in made]


def rows(rounds: int, units: Sequence[int], threads: int = THREADS) -> list[dict[str, Any]]:
    """The rows, measured in this process."""
    layers = [row for cell in GATES for size in units for row in of_layer(cell, size, rounds)]
    return layers + [row for name in listening() for row in of_model(name, rounds)]


def listening() -> list[str]:
    """The models of the zoo that take sound and ship a file for streams."""
    return [name for name in registry.all_names() if "streaming.onnx" in registry.get(name).files and _rate(name)]


def _rate(name: str) -> float:
    return registry.get(name).sample_rate or 0.0


def of_layer(cell: str, units: int, rounds: int) -> list[dict[str, Any]]:
    """Raises ParityError if the steps of a file of ours do not add up to what Keras makes of the whole."""
    subject = Subject(cell, layer=(cell, FEATURES, units))
    frame = subject.inputs(1, 1)["x"]
    work = machine.Work(0, 4 * GATES[cell] * units * (units + FEATURES), 1)
    with tempfile.TemporaryDirectory() as folder:
        opened, sizes = _of_forms(subject.model, None, Path(folder))
        found: dict[str, Callable[[int], Push]] = {title: _pushing(stream) for title, stream in opened.items()}
        try:
            twin = Stepped(cell, list(map(np.asarray, subject.model.get_weights())))
            found[TORCH] = twin.push_of
        except MissingDependency:
            pass
        x = subject.inputs(1, CHECKED)["x"]
        _require_agreement(cell, found, x, np.asarray(subject.model(x))[:, -1:])
        named = {"model": cell, "units": units}
        return _timed(named, found, sizes, frame, work, rounds)


def of_model(name: str, rounds: int) -> list[dict[str, Any]]:
    """A model of the zoo, fed 20 ms of sound at a time; its shipped file, and one in int8."""
    spec = registry.get(name)
    packet = _packet(spec)
    with tempfile.TemporaryDirectory() as folder:
        opened, sizes = _of_forms(name, spec, Path(folder))
        found = {title: _pushing(stream) for title, stream in opened.items()}
        frames = np.tile(packet, (1, CHECKED, 1))
        push = found[FORMS[0][0]](1)  # the file that is shipped, whose streams were checked when it was made
        want = [push(packet) for _ in range(CHECKED)][-1]
        _require_agreement(name, found, frames, want)
        return _timed({"model": name, "units": ""}, found, sizes, packet, None, rounds)


def _packet(spec: ModelSpec) -> np.ndarray:
    """Noise [1, samples, 1], 20 ms long."""
    samples = round((spec.sample_rate or 0) * PERIOD)
    return np.random.default_rng(0).normal(0, 0.1, (1, samples, 1)).astype("float32")


def _of_forms(model: Any, spec: ModelSpec | None, folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """What opens streams, and the bytes of the files, by runtime."""
    import export
    from export import runtime

    opened, sizes = {}, {}
    for title, format, quantize in FORMS if spec is None else FORMS[:2]:
        path = folder / f"{quantize}.{format}"
        if spec is not None and quantize is None:
            path = registry.file(spec.name, "streaming.onnx")
        elif format == "onnx":
            export.to_onnx(model, path, streaming=True, quantize=quantize, check=False)
        else:
            export.to_tflite(model, path, streaming=True, quantize=quantize, check=False)
        opened[title], sizes[title] = runtime.load(path), path.stat().st_size
    return opened, sizes


def _pushing(executor: Any) -> Callable[[int], Push]:
    """A new stream of so many rows."""
    return lambda batch: executor.stream(batch).push


def _require_agreement(name: str, found: Mapping[str, Callable[[int], Push]], frames: np.ndarray, want: Any) -> None:
    """Pushes frames [1, steps, …] one after another; the last answer must be `want` [1, 1, …]."""
    from export import check

    for title, opened in found.items():
        push = opened(1)
        got = [push(frame) for frame in np.split(frames, CHECKED, axis=1)][-1]
        scale = max(1.0, float(np.abs(want).max()))
        difference = float(np.sqrt(np.mean((got - want) ** 2))) / scale
        allowed = check.ALLOWED["dynamic"] if "dynamic" in title else side_by_side.ALLOWED
        if not difference <= allowed:
            raise ParityError(
                f"{name}: steps on {title} differ by {difference:.1e} (allowed {allowed:.0e}): nothing was timed."
            )


def _timed(
    named: Mapping[str, Any],
    found: Mapping[str, Callable[[int], Push]],
    sizes: Mapping[str, int],
    frame: np.ndarray,
    work: machine.Work | None,
    rounds: int,
) -> list[dict[str, Any]]:
    weights = work.step_bytes if work else 0
    calls: dict[str, Callable[[], object]] = {title: _bound(opened(1), frame) for title, opened in found.items()}
    seconds = timing.interleaved(calls, rounds, settle=side_by_side.SETTLE, repeats=20)
    limit = machine.limit(timing.interleaved(machine.candidates(weights), 3), weights)
    made = []
    for title, opened in found.items():
        middle = float(np.median(seconds[title]))
        row = {**named, "runtime": title, "bytes": sizes.get(title, "")}
        row |= {"p50_us": round(1e6 * middle, 2), "p99_us": round(1e6 * float(np.percentile(seconds[title], 99)), 2)}
        row["share_of_limit"] = round(limit.seconds(work) / middle, 3) if work else ""
        row["streams"] = int(PERIOD / middle)
        made.append(row | _stacked(opened, frame, rounds) | limit.row())
    ours = made[0]["p50_us"]
    return [row | {"times_onnx": round(row["p50_us"] / ours, 3)} for row in made]


def _bound(push: Push, frame: np.ndarray) -> Callable[[], object]:
    return lambda: push(frame)


def _stacked(opened: Callable[[int], Push], frame: np.ndarray, rounds: int) -> dict[str, int | str]:
    """The most streams that a core carries when so many rows go through the model at once, and in time."""
    best: dict[str, int | str] = {"stacked_streams": "", "stack": ""}
    for count in STACKS:
        call = _bound(opened(count), np.repeat(frame, count, 0))
        seconds = timing.interleaved({"": call}, max(3, rounds // 6), warm_up=2)[""]
        middle = float(np.median(seconds))
        if middle > PERIOD:
            break
        streams = int(count * PERIOD / middle)
        if streams > int(best["stacked_streams"] or 0):
            best = {"stacked_streams": streams, "stack": count}
    return best


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line a row, for `COLUMNS`."""
    return [
        (
            str(row["model"]).upper() if row["units"] else str(row["model"]),
            str(row["units"]),
            str(row["runtime"]),
            f"{float(row['p50_us']):.1f}",
            f"{float(row['p99_us']):.1f}",
            f"{100 * float(row['share_of_limit']):.0f} %" if row["share_of_limit"] != "" else "",
            f"{int(row['streams']):,}",
            f"{int(row['stacked_streams']):,} (by {row['stack']})" if row["stacked_streams"] != "" else "",
        )
        for row in rows
    ]


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
