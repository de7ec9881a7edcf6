"""A SavedModel into the bytes of a TFLite file, in this process or, where TensorFlow may crash, in one of its own.

Run as `python -m export.tflite_converter FOLDER QUANTIZE` it reads FOLDER/saved_model and FOLDER/calibration.npz and
writes FOLDER/model.tflite.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

from export import tflite_integers
from export.quiet import quiet
from zoo.errors import ExportError, Unsupported

SIGNATURE = "serving_default"
TIMEOUT_SECONDS = 900
ANSWERS = "answers.npz"  # in the folder, where recurrences are marked: see `tflite_calibration`


class _Converter(TFLiteSavedModelConverterV2):
    """What `tf.lite.TFLiteConverter.from_saved_model` makes. That one loads the SavedModel once to look at its
    signatures and once for debug information, which `saved_model.save` leaves out, collects garbage, and writes its
    settings into the file: nearly half of all its time for a small model."""

    def convert(self) -> bytes:
        graph, *_ = self._load_saved_model(self.saved_model_dir, self._saved_model_tags)
        return bytes(self._convert_from_saved_model(graph))


def convert(folder: Path, quantize: str | None, layers: Collection[str] = ()) -> bytes:
    """Built-in operators only. Raises Unsupported for a model that needs others, naming the operator and which of
    `layers` it is in."""
    converter = _Converter(str(folder / "saved_model"), {tf.saved_model.SERVING}, [SIGNATURE])
    marked = (folder / ANSWERS).exists()
    _configure(converter, None if marked else quantize, folder)
    try:
        with quiet():
            if marked:
                return _around_markers(converter, str(quantize), folder)
            return tflite_integers.convert(converter) if quantize == "int8" else converter.convert()
    except Unsupported:
        raise
    except Exception as error:  # the converter raises ConverterError, RuntimeError and ValueError alike
        raise _explained(error, layers) from error


def _around_markers(converter: Any, quantize: str, folder: Path) -> bytes:
    """Everything in integers but the markers. Raises Unsupported for other custom operators."""
    from export import tflite_calibration

    converter.allow_custom_ops = True
    content = converter.convert()
    foreign = tflite_calibration.foreign(content)
    if foreign:
        raise Unsupported(_no_operator(foreign[0], ""))
    gap = tflite_calibration.cut(content)
    examples = [example for _, example in _examples(folder / "calibration.npz")]
    feeds = list(gap.feeds(examples, tflite_calibration.load(folder / ANSWERS)))
    return tflite_calibration.joined(tflite_integers.quantized(gap.content, feeds, quantize), gap)


def convert_apart(folder: Path, quantize: str) -> bytes:
    """The same in a process of its own: integer quantisation of some graphs ends the process that tries it."""
    command = [sys.executable, "-P", "-m", "export.tflite_converter", str(folder), quantize]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"The TFLite converter did not finish quantize={quantize!r} in {TIMEOUT_SECONDS} s. "
            "Give fewer calibration examples, or use quantize='dynamic'."
        ) from error
    if done.returncode == 0:
        return (folder / "model.tflite").read_bytes()
    reason = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
    raise Unsupported(
        f"The TFLite converter failed at quantize={quantize!r}: {reason[0]} Use quantize='dynamic' or 'float16'."
    )


def _configure(converter: Any, quantize: str | None, folder: Path) -> None:
    sets = tf.lite.OpsSet
    converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS]
    if quantize is None:
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize in ("int8", "int16x8"):
        converter.representative_dataset = lambda: _examples(folder / "calibration.npz")
        converter.target_spec.supported_ops = [
            sets.TFLITE_BUILTINS_INT8
            if quantize == "int8"
            else sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]


def save_examples(path: Path, examples: list[dict[str, np.ndarray]]) -> None:
    arrays: dict[str, Any] = {f"{place}/{name}": item[name] for place, item in enumerate(examples) for name in item}
    np.savez(path, **arrays)


def _examples(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    with np.load(path) as arrays:
        items: dict[int, dict[str, np.ndarray]] = {}
        for key in arrays.files:
            index, name = key.split("/", 1)
            items.setdefault(int(index), {})[name] = arrays[key]
    for index in sorted(items):
        yield SIGNATURE, items[index]


def _explained(error: Exception, layers: Collection[str]) -> Exception:
    for item in getattr(error, "errors", ()):
        if item.operator.name:
            operator = item.operator.name.removeprefix("tf.")
            return Unsupported(_no_operator(operator, _place(item, layers)))
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Unsupported(f"The TFLite converter refused the model: {text} Export to 'onnx' or 'saved_model' instead.")


def _no_operator(operator: str, place: str) -> str:
    return (
        f"TFLite has no built-in operator for {operator}{place}. Replace what computes it by layers TFLite has, or "
        "export to 'onnx' or 'saved_model'."
    )


def layer_of(path: str, layers: Collection[str]) -> str | None:
    """Which of `layers` the operator at `path` belongs to: model/layer_1/Operator, where TensorFlow may have numbered
    the layer's name once more."""
    for scope in reversed(path.split("/")[:-1]):
        for name in (scope, scope.rpartition("_")[0]):
            if name in layers:
                return name
    return None


def _place(item: Any, layers: Collection[str]) -> str:
    layer = layer_of(item.location.call[0].name.split("@")[0], layers) if item.location.call else None
    return f", in layer {layer!r}" if layer else ""


def _main(folder: Path, quantize: str) -> None:
    try:
        (folder / "model.tflite").write_bytes(convert(folder, quantize))
    except ExportError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
