"""Keras' own export, runtimes for files that are not ours, and what stands in a file of either kind."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InvalidInput

if TYPE_CHECKING:
    import keras

Arrays = Mapping[str, np.ndarray]
Run = Callable[[], Sequence[np.ndarray]]
_SHOWN = {"LSTM", "DynamicQuantizeLSTM", "GRU", "RNN", "Loop", "Scan", "If", "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE"}
_BEFORE = ("Exception encountered", "Exception from", "Check '")
_SHORT = {"UNIDIRECTIONAL_SEQUENCE_LSTM": "fused LSTM"}


def keras_export(model: "keras.Model", path: Path) -> None:
    """`model.export` to an `.onnx` or a `.tflite` file."""
    from export.quiet import quiet

    with quiet():
        model.export(str(path), format="onnx" if path.suffix == ".onnx" else "litert", verbose=False)


def unrolled(model: "keras.Model") -> "keras.Model":
    """The model with every recurrent layer written out step by step, which the plain TFLite conversion needs: what it
    makes of a layer that is not calls for Flex. Raises InvalidInput where an input has no fixed length."""
    import keras

    if any(size is None for tensor in model.inputs for size in tensor.shape[1:]):
        raise InvalidInput("An unrolled layer needs a fixed length.")

    def copy(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        return type(layer).from_config(_unrolled(layer.get_config()))

    made = keras.models.clone_model(model, clone_function=copy)
    made.set_weights(model.get_weights())
    return made


def _unrolled(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: name == "unroll" or _unrolled(value) for name, value in config.items()}
    return config


def run_onnx(path: Path, inputs: Arrays, threads: int = 1) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def run_litert(path: Path, inputs: Arrays, threads: int = 1) -> Run:
    """The inputs stay in place, so that a run is the model alone."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    outputs = sorted(interpreter.get_output_details(), key=lambda item: int(item["name"].rpartition(":")[2]))
    for item in interpreter.get_input_details():
        name = item["name"].removeprefix("serving_default_").partition(":")[0]
        interpreter.resize_tensor_input(item["index"], inputs[name].shape)
        item["array"] = inputs[name]
    interpreter.allocate_tensors()
    for item in interpreter.get_input_details():
        name = item["name"].removeprefix("serving_default_").partition(":")[0]
        interpreter.set_tensor(item["index"], inputs[name])

    def run() -> list[np.ndarray]:
        interpreter.invoke()
        return [interpreter.get_tensor(item["index"]) for item in outputs]

    return run


def operators(path: Path) -> str:
    """`LSTM ×2, Loop`: what holds recurrences, and what stock LiteRT lacks (`Flex`)."""
    if path.suffix == ".onnx":
        import onnx

        from export import onnx as writer

        found = writer.operators(onnx.load(path))
    else:
        from export import tflite_file

        found = tflite_file.operators(path.read_bytes())
    flex = sum(count for name, count in found.items() if name.startswith("Flex"))
    shown = {_SHORT.get(name, name): count for name, count in found.items() if name in _SHOWN} | {"Flex": flex}
    return ", ".join(name + (f" ×{count}" if count > 1 else "") for name, count in shown.items() if count)


def first_line(error: Exception) -> str:
    """The first line of an error that says something; Keras and OpenVINO put others before it, Keras colours, too. One
    that ends with a colon goes on with the next."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_BEFORE)]
    if len(telling) > 1 and telling[0].endswith(":"):
        telling[0] += f" {telling[1]}"
    return (telling or [type(error).__name__])[0][:120]
