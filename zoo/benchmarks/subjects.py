"""What is measured: a model of the zoo by name, a `.keras`, `.onnx` or `.tflite` file, or a single layer, with inputs
and with the files of it that the peers run."""

import math
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import registry
from zoo.benchmarks import formats
from zoo.benchmarks.machine import Work
from zoo.benchmarks.training_steps import GATES, Point
from zoo.errors import InvalidInput, UnknownName
from zoo.spec import ModelSpec, Signature

if TYPE_CHECKING:
    import keras

    from export.lowering.source import Source

FILES = (".keras", ".onnx", ".tflite")
STEPS = 100  # of a model whose card names no window
ONNX = "model.onnx"
STEP_BY_STEP = ("classifier", "language_model")  # families whose every layer runs once for each step of the input


@dataclass(eq=False)
class Subject:
    """`given` is what the user named; `layer` (kind, features, units) builds a model of one layer instead, for
    `batch` sequences of `length` steps, or for any number.

    The files made for it lie in `folder`, each made once, and go with the subject.
    """

    given: str
    layer: tuple[str, int, int] | None = None
    length: int | None = None
    batch: int | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="zoo-bench-")), repr=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def path(self) -> Path | None:
        """The file that was given, if it was one."""
        return Path(self.given) if Path(self.given).suffix in FILES and self.layer is None else None

    @property
    def runs_keras(self) -> bool:
        return self.path is None or self.path.suffix == ".keras"

    @cached_property
    def spec(self) -> ModelSpec | None:
        """The card of a model of the zoo. Raises UnknownName for a name that there is not."""
        return None if self.layer or self.path else registry.get(self.given)

    @cached_property
    def model(self) -> "keras.Model":
        """Raises InvalidInput for a file that holds no Keras model."""
        if self.layer:
            return _of_one_layer(*self.layer, self.length, self.batch)
        if self.path is None:
            from zoo.loading import load

            return load(self.given)
        if not self.runs_keras:
            raise InvalidInput(f"{self.given} holds no Keras model: only the runtimes that read it can be compared.")
        from export.subject import read_keras

        return read_keras(self.path)

    @cached_property
    def source(self) -> "Source":
        """The model as a flat function of named tensors."""
        from export.lowering.source import read

        return read(self.model)

    @cached_property
    def signature(self) -> Signature:
        if self.spec and not self.spec.signature.states:
            return self.spec.signature
        if self.runs_keras:
            return self.source.signature
        from export.runtime import load

        assert self.path is not None
        return load(self.path).signature

    def inputs(self, batch: int, time: int | None = None) -> dict[str, np.ndarray]:
        """White noise, or any tokens but padding, over `time` steps: by default the model's window, else a second of
        sound, else 100.

        Raises InvalidInput for a size below 1.
        """
        if batch < 1 or (time is not None and time < 1):
            raise InvalidInput(f"Batch {batch} and time {time} must be 1 or more.")
        free = {"batch": batch}
        return {
            spec.name: _values(
                [
                    size or free.get(axis) or time or self.steps
                    for size, axis in zip(spec.shape, spec.axes, strict=True)
                ],
                spec.dtype,
                self._tokens.get(spec.name, 2),
            )
            for spec in self.signature.inputs
        }

    @cached_property
    def _tokens(self) -> dict[str, int]:
        """How many tokens each input of tokens knows; nothing where only the file is there."""
        if not self.runs_keras or not any("int" in spec.dtype for spec in self.signature.inputs):
            return {}
        from export.executors import domains

        return {name: domain.size for name, domain in domains(self.source).items()}

    @property
    def steps(self) -> int:
        spec = self.spec
        if spec is None:
            return STEPS
        sound = spec.sample_rate is not None and spec.sample_rate >= 8000
        return spec.window or (int(spec.sample_rate or 0) if sound else STEPS)

    def work(self, batch: int, steps: int) -> Work | None:
        """What the products of a prediction take at least; None where nobody knows. At every step the recurrent kernels
        are read again; the other products are of all steps at once."""
        if self.layer:
            kind, features, units = self.layer
            operations = 2 * batch * steps * GATES[kind] * units * (features + units)
            return Work(operations, 4 * GATES[kind] * units * units, steps)
        if self.spec is None or self.spec.family not in STEP_BY_STEP:
            return None
        read = sum(math.prod(item.shape) for item in self.model.weights if item.path.endswith("recurrent_kernel"))
        return Work(2 * batch * steps * self.spec.multiply_adds_per_step, 4 * read, steps)

    def ours(self, format: str, quantize: str | None) -> Path:
        """Our file of the subject: the one that was given, the one shipped with the model, or one made now."""
        if self.path is not None and not self.runs_keras:
            if self.path.suffix != f".{format}" or quantize:
                form = f"{quantize} {format}" if quantize else format
                raise InvalidInput(f"{self.given} is a file of another kind: it has no {form} form.")
            return self.path
        if format == "onnx" and not quantize and self.spec:
            if ONNX in self.spec.files:
                return registry.file(self.given, ONNX)
            quantize = "float16"  # as the file of a language model is stored, the one that streams
        path = self.folder / f"{quantize or 'float32'}" / (format if format == "saved_model" else f"model.{format}")
        if not path.exists():
            _write(self.model, self.spec, format, quantize, path)
        return path

    def keras_export(self, format: str, *, unroll: bool = False) -> Path:
        """What plain `model.export` makes of it, with `unroll` once its recurrent layers are unrolled."""
        path = self.folder / f"{'unrolled' if unroll else 'keras'}.{format}"
        if not path.exists():
            self.source(list(self.inputs(1).values()))  # Keras exports to ONNX only what has been called
            formats.keras_export(formats.unrolled(self.model) if unroll else self.model, path)
        return path


def subject(given: str) -> Subject:
    """Raises InvalidInput for a file that is not there, UnknownName for a name that is not, both before any work."""
    path = Path(given)
    if path.suffix in FILES:
        if not path.is_file():
            raise InvalidInput(f"There is no file {given!r}. Check the path.")
        return Subject(given)
    found = Subject(given)
    try:
        _ = found.spec
    except UnknownName as error:
        if len(path.parts) > 1:
            raise InvalidInput(f"{given!r} is no {' or '.join(FILES)} file, nor a zoo name.") from error
        raise
    return found


def one_layer(cell: str, point: Point, batch: int | None = None) -> Subject:
    """A layer of the sizes of `point`, for any number of sequences or for `batch`."""
    return Subject(cell, layer=(cell, point.features, point.units), length=point.steps, batch=batch)


def _values(shape: list[int], dtype: str, tokens: int) -> np.ndarray:
    """Booleans are masks: all true. Token 0 is padding."""
    random = np.random.default_rng(0)
    if dtype == "bool" or ("int" in dtype and tokens < 3):
        return np.ones(shape, dtype)
    if "int" in dtype:
        return random.integers(1, tokens, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def _of_one_layer(kind: str, features: int, units: int, length: int | None, batch: int | None) -> "keras.Model":
    """Inputs [B, T, features] -> the whole sequence [B, T, units], with the weights of seed 0."""
    import keras

    keras.utils.set_random_seed(0)
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[kind]
    x = keras.Input((length, features), batch, name="x")
    return keras.Sequential([x, layer(units, return_sequences=True)], name=kind)


def _write(model: Any, spec: ModelSpec | None, format: str, quantize: str | None, path: Path) -> None:
    import export

    options: Mapping[str, Any] = {"spec": spec, "check": False}  # the benchmark compares the outputs itself
    path.parent.mkdir(exist_ok=True)
    if format == "saved_model":
        export.to_saved_model(model, path, **options)
    elif format == "onnx":
        export.to_onnx(model, path, quantize=quantize, **options)
    else:
        export.to_tflite(model, path, quantize=quantize, **options)
