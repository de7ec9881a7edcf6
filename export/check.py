"""Parity: a file against the Keras model it came from, written once against the face every executor has.

What is compared: names, dtypes, axes and sizes of the signature, then the values of every output for every probe
(`export.probes`), each call made twice in a row. What is allowed: a difference of 1e-4, counted relative to the
largest absolute value of that output in that call where this exceeds 1; integers and booleans must be equal, and what
is not finite in Keras must not be finite in the file. Quantised files have the allowances of `ALLOWED`, for the root
mean square of the differences in a call: the noise of quantisation is in every element, and in the few where a
recurrence stands between two answers it grows as far as it can (`zoo eval` tells what that does to the task).
Inputs that Keras itself refuses (a length a pooling layer cannot take, say) are skipped and reported.
"""

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from export.manifest import Manifest
from export.probes import Domain, Probe, probes
from export.runtime.executor import Executor
from export.runtime.inputs import Arrays
from zoo.errors import DataMissing, InvalidInput, ParityError
from zoo.spec import Signature, TensorSpec

if TYPE_CHECKING:
    from export.subject import Subject

ALLOWED: dict[str | None, float] = {None: 1e-4, "float16": 1e-2, "dynamic": 5e-2, "int8": 1e-1, "int16x8": 1e-1}
_STREAMED_STEPS = 200
_SAMPLES = 8
_FORMATS = {".onnx": "onnx", ".tflite": "tflite"}


@dataclass(frozen=True)
class Report:
    """`max_abs_diff` is the worst difference seen, counted as `allowed` is: relative where the output exceeds 1."""

    max_abs_diff: float
    allowed: float
    calls: int
    skipped: tuple[str, ...] = ()

    def worse(self, other: "Report") -> "Report":
        """Both as one."""
        worst = max(self.max_abs_diff, other.max_abs_diff)
        return Report(worst, self.allowed, self.calls + other.calls, self.skipped + other.skipped)


@dataclass(frozen=True)
class Checked:
    """An executor on trial, with what to call it in messages: `gru.har: onnx`.

    `fixes_sizes` allows it to fix a size that is free in Keras; `averaged` judges it by the root mean square of the
    differences in a call, not by the largest.
    """

    subject: str
    format: str
    executor: Executor
    fixes_sizes: bool = False
    averaged: bool = False

    def fail(self, text: str) -> NoReturn:
        raise ParityError(f"{self.subject}: {self.format} {text}")


def check(
    candidate: Checked,
    reference: Executor,
    domains: Mapping[str, Domain],
    *,
    quantize: str | None = None,
    samples: Sequence[Arrays] = (),
) -> Report:
    """Runs every probe, and the first of `samples` (real inputs, where there are any), on both executors.

    A full-integer file is right inside the range it was calibrated for only: with samples, it is tried on them alone.
    Raises ParityError at the first disagreement, with its worst element.
    """
    candidate = dataclasses.replace(candidate, averaged=quantize is not None)
    check_names(candidate, reference.signature)
    tried = [Probe(f"sample {index}", sample) for index, sample in enumerate(samples[:_SAMPLES])]
    if quantize not in ("int8", "int16x8") or not tried:
        tried += probes(candidate.executor.signature.inputs, domains, large=quantize is None)
    return _compare_all(candidate, reference, tried, ALLOWED[quantize])


def check_file(path: str | os.PathLike[str], against: Any = None) -> Report:
    """A file or SavedModel from anywhere against a `keras.Model`, a `.keras` path or a zoo name.

    Without `against`, a file this project wrote is held against the zoo model its metadata name. A file with other
    names for its tensors is compared in their order. It may fix sizes that Keras leaves free.
    Raises InvalidInput, UnknownName, UntrustedFile, ParityError.
    """
    from export.executors import KerasExecutor, domains, open_artifact
    from export.subject import resolve
    from zoo import registry

    file = Path(path)
    executor = open_artifact(file)
    metadata = executor.metadata
    if against is None and metadata and metadata.name in registry.all_names():
        against = metadata.name
    if against is None:
        raise InvalidInput(
            f"{file} does not say which model it was made from. Name it: zoo check {file} --against model.keras"
        )
    subject = resolve(against)
    source = subject.source
    whole, known = KerasExecutor(source, float32=True), domains(source)
    quantize = metadata.quantize if metadata else None
    candidate = Checked(file.name, _FORMATS.get(file.suffix, "saved_model"), executor, fixes_sizes=True)
    if executor.signature.states:
        return check_stream(candidate, whole, known, quantize=quantize)
    candidate = dataclasses.replace(candidate, executor=_renamed(executor, source.signature))
    samples = _samples(subject, metadata) if metadata and metadata.calibrated else ()
    return check(candidate, whole, known, quantize=quantize, samples=samples)


def _samples(subject: "Subject", metadata: Manifest) -> list[Arrays]:
    """Input inside the ranges a full-integer file was calibrated for: that of the model's data set, or alike."""
    from export import calibration

    signature = subject.source.signature
    if subject.spec is not None:
        with contextlib.suppress(DataMissing):
            return list(calibration.fitting(signature, calibration.typical(subject.spec, signature, "int8")))
    return list(calibration.alike(metadata.signature.inputs, metadata.calibrated))


class _Renamed(Executor):
    """An executor under the tensor names of `signature`, matched in order."""

    def __init__(self, executor: Executor, signature: Signature) -> None:
        mine, self._executor = executor.signature, executor
        self._inputs = dict(zip(signature.input_names, mine.input_names, strict=True))
        self._outputs = dict(zip(signature.output_names, mine.output_names, strict=True))
        self.signature = Signature(_under(signature.inputs, mine.inputs), _under(signature.outputs, mine.outputs))

    def run_checked(self, arrays: Arrays) -> Arrays:
        results = self._executor.run_checked({self._inputs[name]: array for name, array in arrays.items()})
        return {name: results[theirs] for name, theirs in self._outputs.items()}


def _renamed(executor: Executor, expected: Signature) -> Executor:
    mine = executor.signature
    same = set(mine.input_names) == set(expected.input_names) and set(mine.output_names) == set(expected.output_names)
    counts = [(len(side.inputs), len(side.outputs)) for side in (mine, expected)]
    return executor if same or counts[0] != counts[1] else _Renamed(executor, expected)


def _under(names: Sequence[TensorSpec], specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    return tuple(
        dataclasses.replace(spec, name=name.name, axes=name.axes if len(name.axes) == len(spec.axes) else spec.axes)
        for name, spec in zip(names, specs, strict=True)
    )


def check_names(candidate: Checked, expected: Signature) -> None:
    """Raises ParityError unless both have the same tensors, and the same free axes where no size may be fixed."""
    found = candidate.executor.signature
    for kind, mine, theirs in (("input", found.inputs, expected.inputs), ("output", found.outputs, expected.outputs)):
        names, wanted = [spec.name for spec in mine], [spec.name for spec in theirs]
        if sorted(names) != sorted(wanted):
            candidate.fail(f"{kind}s are {_quoted(names)}; Keras has {_quoted(wanted)}.")
        by_name = {spec.name: spec for spec in theirs}
        for spec in mine:
            if not _agree(spec, by_name[spec.name], candidate.fixes_sizes):
                candidate.fail(f"{kind} is {spec.describe()}; Keras has {by_name[spec.name].describe()}.")


def check_stream(
    candidate: Checked, whole: Executor, domains: Mapping[str, Domain], *, quantize: str | None = None
) -> Report:
    """Chunks of random lengths, or of the one length a file takes, against one pass of Keras over all steps.

    An output with a time axis is the chunks' outputs joined; one without is that of the last chunk. Of a model with a
    fixed length that is no multiple of the chunk, the steps in whole chunks are compared.
    """
    candidate = dataclasses.replace(candidate, averaged=quantize is not None)
    _check_stream_names(candidate, whole.signature)
    allowed, random = ALLOWED[quantize], np.random.default_rng(0)
    moving = _moving(candidate.executor.signature, whole.signature)
    chunk = next((size for size in moving.values() if size is not None), None)
    fixed = whole.signature.inputs[0].shape[0]
    length = _STREAMED_STEPS - _STREAMED_STEPS % (chunk or 1)
    tried = [(1 if fixed is None else fixed, "normal values"), (3 if fixed is None else fixed, "masked steps")]
    worst = 0.0
    for batch, kind in tried:
        inputs = _sequence(whole.signature.inputs, domains, batch, length, kind)
        steps = inputs[next(iter(moving))].shape[1]
        want, ends = whole.run(inputs), _ends(steps, chunk, random)
        timed = {spec.name for spec in candidate.executor.signature.outputs if _timed(spec)}
        got = _streamed(candidate.executor, inputs, moving, ends, whole.signature, timed)
        outputs = [spec for spec in whole.signature.outputs if ends[-1] == steps or spec.name in timed]
        if ends[-1] < steps:
            want = {spec.name: want[spec.name][:, : got[spec.name].shape[1]] for spec in outputs}
        what = f"a stream of {ends[-1]} steps in chunks, {kind}, batch {batch}"
        worst = max(worst, _compare(candidate, want, got, outputs, allowed, what))
    return Report(worst, allowed, len(tried))


def _check_stream_names(candidate: Checked, expected: Signature) -> None:
    """Raises ParityError unless both have the same tensors of the same types, besides the states."""
    found = candidate.executor.signature
    carried = {name for state in found.states for name in (state.input, state.output)}
    for kind, mine, theirs in (("input", found.inputs, expected.inputs), ("output", found.outputs, expected.outputs)):
        types = {spec.name: spec.dtype for spec in mine if spec.name not in carried}
        wanted = {spec.name: spec.dtype for spec in theirs}
        if types != wanted:
            named = [", ".join(f"{dtype} {name!r}" for name, dtype in side.items()) for side in (types, wanted)]
            candidate.fail(f"{kind}s are {named[0]}; Keras has {named[1]}.")


def _timed(spec: TensorSpec) -> bool:
    return "time" in spec.axes[1:2]


def _moving(streaming: Signature, whole: Signature) -> dict[str, int | None]:
    """The inputs that come in chunks, with the chunk's length: those whose time is free, or not what it was."""
    sizes = {spec.name: spec.shape[1] for spec in streaming.inputs if _timed(spec)}
    fixed = {spec.name: spec.shape[1] for spec in whole.inputs if _timed(spec)}
    return {name: sizes[name] for name, size in fixed.items() if size is None or sizes[name] != size} or sizes


def _sequence(specs: Iterable[TensorSpec], domains: Mapping[str, Domain], batch: int, steps: int, kind: str) -> Arrays:
    """A probe of this kind and these sizes, where the specs leave sizes free."""
    sized = []
    for spec in specs:
        free = {"batch": batch, "time": steps}
        shape = [free.get(axis, 1) if size is None else size for size, axis in zip(spec.shape, spec.axes, strict=True)]
        sized.append(dataclasses.replace(spec, shape=tuple(shape)))
    return next(probe.inputs for probe in probes(sized, domains) if probe.what.startswith(kind))


def _ends(steps: int, chunk: int | None, random: np.random.Generator) -> list[int]:
    """Where the chunks end: random lengths below 40 steps or a third of them all, or whole chunks as far as they go."""
    if chunk is not None:
        return list(range(chunk, steps + 1, chunk))
    ends = np.cumsum(random.integers(1, max(2, min(40, steps // 3)), steps))
    return [*ends[ends < steps].tolist(), steps]


def _streamed(
    executor: Executor,
    inputs: Arrays,
    moving: Mapping[str, Any],
    ends: Sequence[int],
    expected: Signature,
    timed: Collection[str],
) -> Arrays:
    """What a stream answers: the outputs named in `timed` joined, the others as they are after the last chunk."""
    stream = executor.stream(batch=len(next(iter(inputs.values()))))
    parts = [
        stream.push({name: array[:, start:end] if name in moving else array for name, array in inputs.items()})
        for start, end in zip([0, *ends], ends, strict=False)
    ]
    return {
        name: np.concatenate([part[name] for part in parts], axis=1) if name in timed else parts[-1][name]
        for name in expected.output_names
    }


def _compare_all(candidate: Checked, reference: Executor, tried: Iterable[Probe], allowed: float) -> Report:
    worst, calls, skipped = 0.0, 0, []
    for probe in tried:
        try:
            want = reference.run(probe.inputs)
        except InvalidInput as error:
            skipped.append(f"{probe.what}: {error}")
            continue
        if any(array.size == 0 for array in want.values()):
            skipped.append(f"{probe.what}: Keras gives an empty output.")
            continue
        outputs = reference.signature.outputs
        got = _run(candidate, probe)
        worst = max(worst, _compare(candidate, want, got, outputs, allowed, probe.what))
        _check_repeat(candidate, got, _run(candidate, probe), probe.what)
        calls += 2
    if not calls:
        raise InvalidInput(
            f"{candidate.subject}: Keras refuses every input the check tried, so nothing was compared. "
            f"Give real ones with samples=. First refusal: {skipped[0]}"
        )
    return Report(worst, allowed, calls, tuple(skipped))


def _run(candidate: Checked, probe: Probe) -> Arrays:
    try:
        return candidate.executor.run(probe.inputs)
    except InvalidInput as error:
        candidate.fail(f"refuses what Keras takes ({probe.what}): {error}")


def _compare(
    candidate: Checked, want: Arrays, got: Arrays, outputs: Iterable[TensorSpec], allowed: float, what: str
) -> float:
    """The largest difference over all outputs, relative where the output exceeds 1."""
    return max(_compare_output(candidate, want[spec.name], got[spec.name], spec, allowed, what) for spec in outputs)


def _compare_output(
    candidate: Checked, want: np.ndarray, got: np.ndarray, spec: TensorSpec, allowed: float, what: str
) -> float:
    if got.shape != want.shape or got.dtype != want.dtype:
        candidate.fail(
            f"output {spec.name!r} is {got.dtype} {list(got.shape)}; "
            f"Keras gives {want.dtype} {list(want.shape)} ({what})."
        )
    exact = want.dtype.kind != "f"
    difference, scale = _difference(want, got), 1.0 if exact else _scale(want)
    averaged = candidate.averaged and not exact and difference.size
    seen = float(np.sqrt(np.mean(np.square(difference)))) if averaged else float(difference.max(initial=0.0))
    worst = seen / scale
    if not worst <= (0.0 if exact else allowed):
        limit = "0" if exact else f"{_short(allowed)}" + (f" × {_short(scale)}, its largest value" if scale > 1 else "")
        bad = difference > (0.0 if exact else allowed * scale)
        where = f"differs by {_short(seen)} in the root mean square (allowed {limit})."
        text = where if averaged else _worst(difference, bad, spec, limit)
        candidate.fail(f"output {spec.name!r} {text} Input: {what}.")
    return worst


def _difference(want: np.ndarray, got: np.ndarray) -> np.ndarray:
    """|got - want| in float64: zero where neither is finite, infinite where one of them is not."""
    want, got = want.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(want), np.isfinite(got)
    difference = np.where(finite[0] == finite[1], 0.0, np.inf)
    both = finite[0] & finite[1]
    difference[both] = np.abs(got[both] - want[both])
    return difference


def _scale(want: np.ndarray) -> float:
    return max(1.0, float(np.abs(want[np.isfinite(want)], dtype=np.float64).max(initial=0.0)))


def _worst(difference: np.ndarray, bad: np.ndarray, spec: TensorSpec, limit: str) -> str:
    """`differs by 1.3e-2 at batch 1, step 34 (allowed 1e-4). First bad step: 12.`"""
    index = np.unravel_index(int(np.argmax(difference)), difference.shape)
    names = {"batch": "batch", "time": "step"}
    place = ", ".join(f"{names[axis]} {at}" for axis, at in zip(spec.axes, index, strict=False) if axis in names)
    text = f"differs by {_short(float(difference.max()))}{f' at {place}' if place else ''} (allowed {limit})."
    if spec.axes[1:2] != ("time",):
        return text
    steps = bad.any(axis=tuple(axis for axis in range(bad.ndim) if axis != 1))
    return f"{text} First bad step: {int(np.argmax(steps))}."


def _check_repeat(candidate: Checked, first: Arrays, second: Arrays, what: str) -> None:
    for name, array in first.items():
        changed = _difference(array, second[name]) if array.shape == second[name].shape else np.array(np.inf)
        if changed.max(initial=0.0) > 1e-6 * _scale(array):
            candidate.fail(
                f"output {name!r} changed by {_short(float(changed.max()))} when the same call was made again: "
                f"state leaks from call to call. Input: {what}."
            )


def _agree(mine: TensorSpec, theirs: TensorSpec, fixes_sizes: bool) -> bool:
    if mine.dtype != theirs.dtype or len(mine.shape) != len(theirs.shape):
        return False
    sizes = zip(mine.shape, theirs.shape, strict=True)
    return mine.shape == theirs.shape or (fixes_sizes and all(None in pair or pair[0] == pair[1] for pair in sizes))


def _short(value: float) -> str:
    """1.3e-2, 1e-4, 0.61, 5.1e+03."""
    if 0.1 <= value < 100:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if exponent else mantissa


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
