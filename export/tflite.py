"""A Keras model as one TFLite file of built-in operators only, through a SavedModel traced with native recurrences."""

import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export import tflite_file, tflite_loops
from export.artifact import Written
from export.lowering.source import Source
from export.lowering.tflite import INTEGERS, TFLiteTarget, channels_last
from export.lowering.trace import Tracer, flat_layers, lowered
from export.manifest import KEY
from export.saved_model import SIGNATURE, ConcreteFunction, save, traced
from export.tflite_calibration import record
from export.tflite_converter import ANSWERS, convert, convert_apart, layer_of, save_examples
from zoo.errors import InvalidInput, Unsupported
from zoo.spec import TensorSpec

QUANTIZATIONS = (None, "float16", "dynamic", *INTEGERS)
Calibration = Iterable[Mapping[str, np.ndarray]]


def write(
    source: Source,
    path: Path,
    manifest: str,
    *,
    quantize: str | None = None,
    calibration: Calibration | None = None,
    batch: int = 1,
    time: int | None = None,
    tracer: Tracer | None = None,
) -> Written:
    """Writes `source` to `path` with `manifest` (JSON text) among its metadata.

    A free batch axis becomes `batch`; a free time axis becomes `time`, or stays free. `tracer` must speak to a
    `TFLiteTarget`. "int8" and "int16x8" take examples {input name: array}; inputs and outputs stay float32.

    Raises: InvalidInput for an unknown `quantize` and for calibration data that is missing or does not fit;
    Unsupported for an operator that TFLite does not have, or that it cannot quantise.
    """
    _require_no_states(source, quantize)
    _require_floats(source)
    specs = [_fixed(spec, batch, time) for spec in source.signature.inputs]
    examples = _examples(source, quantize, calibration, batch)
    tracer = tracer or Tracer(TFLiteTarget(quantize))
    assert isinstance(tracer.target, TFLiteTarget), "a TFLite file needs a TFLiteTarget"
    layers = {layer.name for layer in flat_layers(source.model)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with lowered(source.model, tracer, source.rules), channels_last():
            function = traced(source, specs)
        if examples:
            _require_integers(quantize, tracer.target, function, layers)
            save_examples(folder / "calibration.npz", examples)
        marked = tracer.target.marked
        loops = record(source, specs, TFLiteTarget(quantize), examples, folder / ANSWERS) if marked else {}
        save({SIGNATURE: function}, folder / "saved_model", source.model.name)
        content = convert_apart(folder, str(quantize)) if examples else convert(folder, quantize, layers)
    content = tflite_file.finish(tflite_loops.replace(content, loops) if loops else content, {KEY: manifest})
    path.write_bytes(content)
    return Written(tflite_file.operators(content), [*tracer.notes, *_state_note(tracer.target)])


def _fixed(spec: TensorSpec, batch: int, time: int | None) -> tf.TensorSpec:
    free = {"batch": batch, "time": time}
    shape = [free.get(axis) if size is None else size for size, axis in zip(spec.shape, spec.axes, strict=True)]
    return tf.TensorSpec(shape, spec.dtype, name=spec.name)


def _state_note(target: TFLiteTarget) -> list[str]:
    if target.resets or not target.fused:
        return []
    names = ", ".join(map(repr, dict.fromkeys(target.fused)))
    return [
        f"The quantised LSTM operators ({names}) keep their states in the file from one call to the next: outside of "
        "export.runtime, call the interpreter's reset_all_variables() before every sequence."
    ]


def _examples(
    source: Source, quantize: str | None, calibration: Calibration | None, batch: int
) -> list[dict[str, np.ndarray]]:
    """The calibration data as examples of the file's own batch size; empty where none is needed."""
    if quantize not in QUANTIZATIONS:
        known = ", ".join(repr(name) for name in QUANTIZATIONS)
        raise InvalidInput(f"Unknown quantize={quantize!r} for TFLite; use one of {known}.")
    if quantize not in INTEGERS:
        return []
    examples = []
    for item in calibration or ():
        arrays = _checked(source, item)
        examples += [
            {name: array[row : row + batch] for name, array in arrays.items()}
            for row in range(0, len(next(iter(arrays.values()))) - batch + 1, batch)
        ]
    if not examples:
        raise InvalidInput(
            f"quantize={quantize!r} needs calibration data: give calibration=, an iterable of "
            f"{{{', '.join(map(repr, source.signature.input_names))}: array}} of typical inputs."
        )
    return examples


def _checked(source: Source, item: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = source.signature.input_names
    if set(item) != set(names):
        raise InvalidInput(f"Calibration data has the inputs {sorted(item)}; the model's are {sorted(names)}.")
    arrays = {spec.name: np.asarray(item[spec.name], spec.dtype) for spec in source.signature.inputs}
    for spec in source.signature.inputs:
        shape = arrays[spec.name].shape
        fits = len(shape) == len(spec.shape) and all(
            size in (None, seen) for size, seen in zip(spec.shape, shape, strict=True)
        )
        if not fits:
            raise InvalidInput(
                f"Calibration array {spec.name!r} has shape {list(shape)}; the model needs {spec.describe()}."
            )
    return arrays


def _require_no_states(source: Source, quantize: str | None) -> None:
    states = source.signature.states
    if quantize in INTEGERS and states:
        raise Unsupported(
            f"quantize={quantize!r} cannot stream: files in full integers take and hand out no states, as layer "
            f"{states[0].layer!r} needs. Use quantize='dynamic' or 'float16', or export without streaming."
        )


def _require_floats(source: Source) -> None:
    for layer in flat_layers(source.model):
        if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense) and layer.quantization_mode:
            raise Unsupported(
                f"Layer {layer.name!r} was quantised by Keras ({layer.quantization_mode!r}), to products of integers "
                "that TFLite has no operator for. Export the model as it was before model.quantize(…), with "
                "quantize='dynamic' or 'int8', or export to 'onnx' or 'saved_model'."
            )


def _require_integers(
    quantize: str | None, target: TFLiteTarget, function: ConcreteFunction, layers: Collection[str]
) -> None:
    """Full integer quantisation of any other loop ends the converter's process, so it is not begun."""
    loops = [node.name for node in function.graph.as_graph_def().node if "While" in node.op]
    refused = [*target.unfused, *(layer_of(path, layers) or path for path in loops)]
    if refused:
        raise Unsupported(
            f"quantize={quantize!r} cannot quantise layer {refused[0]!r}: integers compute LSTM, GRU and SimpleRNN "
            "with tanh and sigmoid, from zero initial states, and hand out no cell state. "
            "Use quantize='dynamic' or 'float16', or make it such a layer."
        )
