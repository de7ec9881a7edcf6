"""A pretrained model, opened on any of the four backends."""

from pathlib import Path

from export.runtime.executor import Executor
from zoo import registry
from zoo.errors import InvalidInput, unknown_name

BACKENDS = ("onnx", "keras", "tflite", "saved_model")


def open_model(name: str, backend: str = "onnx", quantize: str | None = None) -> Executor:
    """The executor of model `name`. "onnx" runs the file in the model's folder and needs neither TensorFlow nor Keras;
    "tflite", "saved_model" and quantised files are exported on first use and kept in the cache.

    Raises UnknownName for a model or backend that does not exist, InvalidInput for quantised Keras.
    """
    if backend not in BACKENDS:
        raise unknown_name("backend", backend, BACKENDS, f"The backends are {', '.join(BACKENDS)}.")
    registry.get(name)
    if backend == "keras":
        if quantize is not None:
            raise InvalidInput(
                f"The keras backend runs float32 only, not {quantize!r}: quantised files run on onnx or tflite."
            )
        return _keras(name)
    if backend == "onnx" and quantize is None:
        from export.runtime import load

        return load(name)
    return _exported(name, backend, quantize)


def _keras(name: str) -> Executor:
    from export.executors import KerasExecutor
    from export.lowering.source import read
    from zoo.loading import load

    return KerasExecutor(read(load(name)))


def _exported(name: str, format: str, quantize: str | None) -> Executor:
    from export.executors import open_artifact

    return open_artifact(cached(name, format, quantize))


def cached(name: str, format: str, quantize: str | None) -> Path:
    """The exported file in the cache, made there once for each state of the model's weights."""
    import pooch

    from export.engine import FORMATS, export

    weights = registry.get(name).files["model.weights.h5"][:16]
    folder = Path(pooch.os_cache("recurrent-zoo")) / "exports" / f"{name}-{format}-{quantize or 'float32'}-{weights}"
    path = folder / name / FORMATS[format].file
    if not path.exists():
        export(name, to=(format,), out=folder, quantize=quantize)
    return path
