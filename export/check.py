"""Parity: a file against the Keras model it came from, written once against the face every executor has.

What is compared: names, dtypes, axes and sizes of the signature, then the values of every output for every probe
(`export.probes`), each call made twice in a row. What is allowed: a difference of 1e-4, counted relative to the
largest absolute value of that output in that call where this exceeds 1; integers and booleans must be equal, and what
is not finite in Keras must not be finite in the file. Quantised files have the allowances of `ALLOWED`.
Inputs that Keras itself refuses (a length a pooling layer cannot take, say) are skipped and reported.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from export.probes import Domain, Probe, probes
from export.runtime.executor import Executor
from export.runtime.inputs import Arrays
from zoo.errors import InvalidInput, ParityError
from zoo.spec import Signature, TensorSpec

ALLOWED: dict[str | None, float] = {None: 1e-4, "float16": 1e-2, "dynamic": 5e-2, "int8": 1e-1}
_STREAMED_STEPS = 200
_SAMPLES = 8


@dataclass(frozen=True)
class Report:
    """`max_abs_diff` is the worst difference seen, counted as `allowed` is: relative where the output exceeds 1."""

    max_abs_diff: float
    allowed: float
    calls: int
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """An executor on trial, with what to call it in messages: `gru.har: onnx`.

    `fixes_sizes` allows it to fix a size that is free in Keras.
    """

    subject: str
    format: str
    executor: Executor
    fixes_sizes: bool = False

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

    A full-int8 file is right inside the range it was calibrated for only: it is tried on samples alone.
    Raises ParityError at the first disagreement, with its worst element.
    """
    check_names(candidate, reference.signature)
    tried = [Probe(f"sample {index}", sample) for index, sample in enumerate(samples[:_SAMPLES])]
    if quantize != "int8":
        tried += probes(candidate.executor.signature.inputs, domains, large=quantize is None)
    return _compare_all(candidate, reference, tried, ALLOWED[quantize])


def check_names(candidate: Checked, expected: Signature) -> None:
    """Raises ParityError unless both have the same tensors and, unless the candidate may fix sizes, the same free axes."""
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
    """Chunks of random lengths (of its own length, for a file with a fixed one) against one pass of Keras over all steps.

    An output with a time axis is the chunks' outputs joined; one without is that of the last chunk.
    """
    allowed, random = ALLOWED[quantize], np.random.default_rng(0)
    states = {state.input for state in candidate.executor.signature.states}
    specs = [spec for spec in candidate.executor.signature.inputs if spec.name not in states]
    chunk = next((spec.shape[1] for spec in specs if "time" in spec.axes[1:2]), None)
    steps = _STREAMED_STEPS if chunk is None else chunk * max(2, _STREAMED_STEPS // chunk)
    worst, batches = 0.0, (1, 3) if any(spec.shape[0] is None for spec in specs) else (1,)
    for batch in batches:
        inputs = _sequence(whole.signature.inputs, domains, batch, steps)
        want = whole.run(inputs)
        got = _streamed(candidate.executor, inputs, _chunks(steps, chunk, random), whole.signature)
        what = f"a stream of {steps} steps in chunks, batch {batch}"
        worst = max(worst, _compare(candidate, want, got, whole.signature.outputs, allowed, what))
    return Report(worst, allowed, len(batches))


def _sequence(specs: Iterable[TensorSpec], domains: Mapping[str, Domain], batch: int, steps: int) -> Arrays:
    sized = [
        TensorSpec(spec.name, spec.dtype, (batch, steps, *spec.shape[2:]), spec.axes)
        if "time" in spec.axes[1:2]
        else TensorSpec(spec.name, spec.dtype, (batch, *spec.shape[1:]), spec.axes)
        for spec in specs
    ]
    return next(probes(sized, domains)).inputs


def _chunks(steps: int, chunk: int | None, random: np.random.Generator) -> Iterator[slice]:
    start = 0
    while start < steps:
        end = min(steps, start + (chunk or int(random.integers(1, 40))))
        yield slice(start, end)
        start = end


def _streamed(executor: Executor, inputs: Arrays, chunks: Iterable[slice], expected: Signature) -> Arrays:
    timed = {spec.name for spec in expected.inputs if "time" in spec.axes[1:2]}
    stream = executor.stream(batch=len(next(iter(inputs.values()))))
    parts = [
        stream.push({name: array[:, chunk] if name in timed else array for name, array in inputs.items()})
        for chunk in chunks
    ]
    return {
        spec.name: np.concatenate([part[spec.name] for part in parts], axis=1)
        if "time" in spec.axes[1:2]
        else parts[-1][spec.name]
        for spec in expected.outputs
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
            f"output {spec.name!r} is {got.dtype} {list(got.shape)}; Keras gives {want.dtype} {list(want.shape)} ({what})."
        )
    exact = want.dtype.kind != "f"
    difference, scale = _difference(want, got), 1.0 if exact else _scale(want)
    worst = float(difference.max(initial=0.0)) / scale
    if not worst <= (0.0 if exact else allowed):
        limit = "0" if exact else f"{_short(allowed)}" + (f" × {_short(scale)}, its largest value" if scale > 1 else "")
        bad = difference > (0.0 if exact else allowed * scale)
        candidate.fail(f"output {spec.name!r} {_worst(difference, bad, spec, limit)} Input: {what}.")
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
