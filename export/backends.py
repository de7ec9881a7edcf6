"""A pretrained model, opened on any of the four backends."""

from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from export.runtime.executor import Executor
from zoo import registry
from zoo.errors import InvalidInput, Unsupported, unknown_name

if TYPE_CHECKING:
    import keras

BACKENDS = ("onnx", "keras", "tflite", "saved_model")


def open_model(name: str, backend: str = "onnx", quantize: str | None = None, part: str = "model") -> Executor:
    """The executor of model `name`. "onnx" runs the file in the model's folder and needs neither TensorFlow nor Keras;
    "tflite", "saved_model" and quantised files are exported on first use and kept in the cache.

    part: "model" for the whole (on "onnx" a language model has that as the file that streams); "streaming" for a step
    with the states in and out; of a translator "encoder" or "decoder".
    Raises UnknownName for a model or backend that does not exist, InvalidInput for quantised Keras, Unsupported for a
    part of a translator in full integers.
    """
    if backend not in BACKENDS:
        raise unknown_name("backend", backend, BACKENDS, f"The backends are {', '.join(BACKENDS)}.")
    registry.get(name)
    if backend == "keras":
        if quantize is not None:
            raise InvalidInput(
                f"The keras backend runs float32 only, not {quantize!r}: quantised files run on onnx or tflite."
            )
        from zoo.loading import load as load_keras

        return of_keras(load_keras(name), part)
    if backend == "onnx" and quantize is None:
        from export.runtime import load

        return load(name) if part == "model" else load(registry.file(name, f"{part}.onnx"))
    return _exported(name, backend, quantize, part)


def of_keras(model: "keras.Model", part: str) -> Executor:
    """The part of a Keras model as an executor."""
    from export.executors import KerasExecutor, StreamingKerasExecutor
    from export.lowering.source import read
    from export.lowering.streaming import streaming_source

    if part == "streaming":
        return StreamingKerasExecutor(streaming_source(read(model)))
    return KerasExecutor(read(part_of(model, part)))


def part_of(model: "keras.Model", part: str) -> "keras.Model":
    """The encoder or the decoder of a translator; other parts are exported from the whole model."""
    if part in ("encoder", "decoder"):
        from zoo.models.translator import parts

        return parts(model)[part]
    return model


def _exported(name: str, format: str, quantize: str | None, part: str) -> Executor:
    from export.executors import open_artifact

    return open_artifact(cached(name, format, quantize, part))


def cached(name: str, format: str, quantize: str | None, part: str = "model") -> Path:
    """The exported file in the cache, made there once for each state of the model's weights and version of the zoo."""
    import pooch

    from export.engine import FORMATS, export

    weights = registry.get(name).files["model.weights.h5"][:16]
    parts = [name, *([] if part == "model" else [part]), format, quantize or "float32", zoo.__version__, weights]
    form = "-".join(parts)
    folder = Path(pooch.os_cache("recurrent-zoo")) / "exports" / form
    whole = part in ("model", "streaming")
    if not whole and quantize in FORMATS[format].calibrated:
        raise Unsupported(
            f"The {part} of {name} has no {format} file in full integers: recurrences in integers start from zero "
            "states, its own do not. Use quantize='dynamic'."
        )
    path = folder / (name if whole else part) / FORMATS[format].file
    if not path.exists():
        from zoo.loading import load

        model = name if whole else part_of(load(name), part)
        export(model, to=(format,), out=folder, quantize=quantize, streaming=part == "streaming")
    return path
