"""requires -> convert -> check by running -> one rename into place: the same path for every format.

Everything happens in a staging folder beside the target. An export that fails, or is killed, leaves no file at the
target; the model is read and run, never changed.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import keras
import tensorflow as tf

from export import calibration, manifest
from export import check as checks
from export.artifact import Artifact, Written
from export.calibration import Batches
from export.executors import KerasExecutor, SavedModelExecutor, domains
from export.lowering.source import Source
from export.manifest import Bundle, Manifest, Parity
from export.probes import probes
from export.runtime import Executor, load
from export.runtime.inputs import Arrays
from export.staging import staged
from export.subject import Subject, resolve
from zoo.errors import ExportError, InvalidInput, unknown_name
from zoo.spec import ModelSpec, Signature

Model: TypeAlias = keras.Model | str | os.PathLike[str]
QUANTIZE = ("dynamic", "float16", "int8", "int16x8")
_MICRO_NOTE = "TensorFlow Lite Micro runs the file in an arena of {} bytes."


@dataclass(frozen=True)
class Job:
    """One validated export. `calibration` holds batches that fit the model's inputs."""

    subject: Subject
    streaming: bool
    chunk: int
    quantize: str | None
    calibration: tuple[Arrays, ...]

    @cached_property
    def reference(self) -> KerasExecutor:
        """What every file is held against: one for all formats, as it traces the model once for each set of shapes."""
        return KerasExecutor(self.subject.source, float32=True)


@dataclass(frozen=True)
class Format:
    """`write` converts a job's source to a path, with the manifest's text inside; `open` runs what is there.

    `quantize` lists what it can be quantised to, `calibrated` those of them that need calibration data. `fixes_sizes`
    says that a file may fix sizes that are free in Keras, and that a streaming one fixes the chunk.
    """

    file: str
    write: Callable[[Job, Source, Path, str], Written]
    open: Callable[[Path], Executor]
    quantize: tuple[str, ...] = ()
    calibrated: tuple[str, ...] = ()
    fixes_sizes: bool = False

    def source(self, job: Job) -> Source:
        """What is traced: the model, or the model as a function of a chunk and its states."""
        if not job.streaming:
            return job.subject.source
        from export.lowering.streaming import streaming_source

        return streaming_source(job.subject.source, job.chunk if self.fixes_sizes else None)


def _write_onnx(job: Job, source: Source, path: Path, text: str) -> Written:
    from export import onnx

    return onnx.write(source, path, text, quantize=job.quantize)


def _write_tflite(job: Job, source: Source, path: Path, text: str) -> Written:
    from export import tflite

    spec, whole_numbers = job.subject.spec, job.quantize in FORMATS["tflite"].calibrated
    time = spec.window if spec is not None and whole_numbers else None  # a microcontroller needs every size fixed
    return tflite.write(source, path, text, quantize=job.quantize, calibration=job.calibration, time=time)


def _write_saved_model(job: Job, source: Source, path: Path, text: str) -> Written:
    from export import saved_model

    return saved_model.write(source, path, text)


FORMATS = {
    "onnx": Format("model.onnx", _write_onnx, load, ("dynamic", "float16", "int8")),
    "tflite": Format("model.tflite", _write_tflite, load, QUANTIZE, ("int8", "int16x8"), fixes_sizes=True),
    "saved_model": Format("saved_model", _write_saved_model, SavedModelExecutor),
}


def export(
    model: Model,
    to: str | Sequence[str] = tuple(FORMATS),
    *,
    out: str | os.PathLike[str],
    streaming: bool = False,
    chunk: int = 1,
    quantize: str | None = None,
    calibration: Batches | None = None,
    check: bool = True,
) -> list[Artifact]:
    """Writes `model` (a `keras.Model`, a `.keras` path or a zoo name) in each format to the folder `out/<name>/`:
    model.onnx, model.tflite, saved_model/ and manifest.json.

    streaming: states become inputs and outputs; TFLite files then take `chunk` steps at a time.
    quantize: "dynamic", "float16", "int8" or, TFLite alone, "int16x8"; SavedModel takes none. In TFLite the last two
    need `calibration`, batches {input name: array} of typical input; a zoo name brings its own from its data set.
    check: runs what was written against Keras before it is moved into place; see `export.check`.
    Raises InvalidInput (arguments), UnknownName, UntrustedFile, Unsupported (what no faithful file exists for, with the
    layer and the remedy) and ParityError; then nothing was written and the model is as it was.
    """
    formats = _formats(to)
    job = _job(model, None, formats, streaming, chunk, quantize, calibration)
    target = Path(out) / job.subject.name
    with staged(target) as folder:
        folder.mkdir()
        made = [_make(job, name, folder / FORMATS[name].file, check) for name in formats]
        manifest.write(folder, Bundle(job.subject.name, tuple(described for _, described in made)))
    return [dataclasses.replace(artifact, path=target / artifact.path.name) for artifact, _ in made]


def to_onnx(
    model: Model,
    path: str | os.PathLike[str],
    *,
    spec: ModelSpec | None = None,
    streaming: bool = False,
    quantize: str | None = None,
    check: bool = True,
) -> Artifact:
    """Writes one `.onnx` file. `spec` is the card of a model that has one. Raises as `export` does."""
    return _one("onnx", _job(model, spec, ("onnx",), streaming, 1, quantize, None), Path(path), check)


def to_tflite(
    model: Model,
    path: str | os.PathLike[str],
    *,
    spec: ModelSpec | None = None,
    streaming: bool = False,
    chunk: int = 1,
    quantize: str | None = None,
    calibration: Batches | None = None,
    check: bool = True,
) -> Artifact:
    """Writes one `.tflite` file. Arguments and errors as in `export`."""
    return _one("tflite", _job(model, spec, ("tflite",), streaming, chunk, quantize, calibration), Path(path), check)


def to_saved_model(
    model: Model,
    path: str | os.PathLike[str],
    *,
    spec: ModelSpec | None = None,
    streaming: bool = False,
    check: bool = True,
) -> Artifact:
    """Writes one SavedModel folder, which loads without this package and without Keras. Raises as `export` does."""
    return _one("saved_model", _job(model, spec, ("saved_model",), streaming, 1, None, None), Path(path), check)


def _one(name: str, job: Job, path: Path, check: bool) -> Artifact:
    suffix = Path(FORMATS[name].file).suffix
    if path.suffix != suffix and suffix:
        raise InvalidInput(f"Format {name!r} needs a path that ends in {suffix}, not {path.name!r}.")
    if suffix and path.is_dir():
        raise InvalidInput(f"{path} is a folder. Remove it, or export to another place.")
    with staged(path) as temporary:
        artifact, _ = _make(job, name, temporary, check)
    return dataclasses.replace(artifact, path=path)


def _formats(to: str | Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys([to] if isinstance(to, str) else to))
    if not names:
        raise InvalidInput(f"No format given. The formats are {', '.join(FORMATS)}.")
    for name in names:
        if name not in FORMATS:
            raise unknown_name("format", str(name), FORMATS, f"The formats are {', '.join(FORMATS)}.")
    return names


def _job(
    model: Model,
    spec: ModelSpec | None,
    formats: Sequence[str],
    streaming: bool,
    chunk: int,
    quantize: str | None,
    batches: Batches | None,
) -> Job:
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise InvalidInput(
            f"chunk is the number of steps a streaming TFLite file takes at a time: at least 1, not {chunk!r}."
        )
    if chunk != 1 and not streaming:
        raise InvalidInput(f"chunk={chunk} is for streaming files alone. Leave it out, or give streaming=True.")
    if quantize is not None and quantize not in QUANTIZE:
        raise unknown_name("quantisation", str(quantize), QUANTIZE, f"Use one of {', '.join(QUANTIZE)}, or None.")
    for name in formats:
        if quantize is not None and quantize not in FORMATS[name].quantize:
            takes = ", ".join(map(repr, FORMATS[name].quantize)) or "none"
            raise InvalidInput(
                f"Format {name!r} cannot be quantised to {quantize!r}; it takes {takes}. "
                f"Leave {name!r} out, or export it without quantisation."
            )
    calibrated = any(quantize in FORMATS[name].calibrated for name in formats)
    if batches is not None and not calibrated:
        raise InvalidInput("calibration is for TFLite files in full integers. Leave it out, or give quantize='int8'.")
    subject = resolve(model, spec)
    if batches is None and quantize and calibrated:
        batches = calibration.typical(subject.spec, subject.source.signature, quantize)
    return Job(subject, streaming, chunk, quantize, calibration.fitting(subject.source.signature, batches))


def _make(job: Job, name: str, path: Path, check: bool) -> tuple[Artifact, Manifest]:
    """Converts to `path` and checks what is there."""
    source = FORMATS[name].source(job)
    draft = _manifest(job, name, source.signature)
    written = FORMATS[name].write(job, source, path, manifest.embedded(draft))
    parity = _checked(job, name, path, draft) if check else None
    arena = _arena_bytes(job, name, path) if check else None
    files = manifest.tree_sha256(path)
    notes = (*job.subject.source.notes, *written.notes, *([] if arena is None else [_MICRO_NOTE.format(arena)]))
    described = dataclasses.replace(draft, parity=parity, operators=written.operators, notes=notes, files=files)
    return dataclasses.replace(_artifact(path, described), arena_bytes=arena), described


def _manifest(job: Job, name: str, signature: Signature) -> Manifest:
    spec, fits = job.subject.spec, job.quantize in FORMATS[name].calibrated
    described = Manifest(
        name=job.subject.name,
        format=name,
        signature=signature,
        quantize=job.quantize,
        streaming=job.streaming,
        calibrated=calibration.spreads(job.subject.source.signature, job.calibration) if fits else {},
        versions={"keras": keras.__version__, "tensorflow": tf.__version__},
    )
    if spec is None:
        return described
    units = {tensor.name: tensor.unit for tensor in (*spec.signature.inputs, *spec.signature.outputs)}
    with_units = [
        tuple(dataclasses.replace(tensor, unit=units.get(tensor.name, "")) for tensor in tensors)
        for tensors in (signature.inputs, signature.outputs)
    ]
    return dataclasses.replace(
        described,
        signature=dataclasses.replace(signature, inputs=with_units[0], outputs=with_units[1]),
        version=spec.version,
        labels=spec.labels,
        preprocessing=spec.preprocessing,
        sample_rate=spec.sample_rate,
    )


def _checked(job: Job, name: str, path: Path, draft: Manifest) -> Parity:
    """Runs the file, then writes what was measured into it."""
    form, source = FORMATS[name], job.subject.source
    executor = form.open(path)
    if executor.metadata != draft:
        raise ExportError(
            f"{job.subject.name}: the {name} file does not hold its metadata. "
            "This is a fault of the exporter: report it."
        )
    candidate = checks.Checked(job.subject.name, name, executor, form.fixes_sizes)
    whole, known = job.reference, domains(source)
    if job.streaming:
        report = checks.check_stream(candidate, whole, known, quantize=job.quantize)
        if name == "saved_model":  # which holds the whole model besides
            candidate = dataclasses.replace(candidate, executor=SavedModelExecutor(path, signature="serving_default"))
            report = report.worse(checks.check(candidate, whole, known))
    else:
        report = checks.check(candidate, whole, known, quantize=job.quantize, samples=job.calibration)
    parity = Parity(report.max_abs_diff, report.allowed)
    manifest.embed_parity(path, draft, parity)
    return parity


def _arena_bytes(job: Job, name: str, path: Path) -> int | None:
    """Of files that are meant for a microcontroller: full integers, and streams in float32."""
    if name != "tflite" or not (job.quantize in FORMATS[name].calibrated or (job.streaming and job.quantize is None)):
        return None
    from export import micro

    specs = load(path).signature.inputs
    samples = job.calibration or (next(probes(specs, domains(job.subject.source))).inputs,)
    inputs = {spec.name: samples[0][spec.name][: spec.shape[0] or 1] for spec in specs}
    return micro.arena_bytes(path, inputs, checks.ALLOWED[job.quantize])


def _artifact(path: Path, described: Manifest) -> Artifact:
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    parity = described.parity
    return Artifact(
        path=path,
        format=described.format,
        bytes=sum(file.stat().st_size for file in files),
        operators=described.operators,
        max_abs_diff=parity.max_abs_diff if parity else None,
        allowed=parity.allowed if parity else None,
        ok=parity is not None,
        notes=described.notes,
        sha256=manifest.combined(described.files),
    )
