"""TFLite files through LiteRT, with the state of fused operators kept from leaking between calls."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export import manifest
from export.runtime import face, tflite_metadata
from export.runtime.executor import Executor, first_line
from export.runtime.inputs import Arrays
from zoo.errors import InvalidInput, MissingDependency, UntrustedFile
from zoo.spec import Signature, TensorSpec


class LiteRTExecutor(Executor):
    """The file's `serving_default` signature, or the only one it has.

    A fused `UNIDIRECTIONAL_SEQUENCE_LSTM` keeps its state in the file's variable tensors from one invocation to the
    next: they are set to zero before every single one. A file of batch 1 takes any batch, row after row.
    One call at a time: calls from several threads queue.
    Raises UntrustedFile for a truncated or foreign file, InvalidInput for one that needs operators LiteRT lacks.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        content = path.read_bytes()
        self.metadata = _metadata(path, content)
        self._interpreter = _interpreter(path, content, threads or 1)
        signatures = self._interpreter.get_signature_list()
        if len(signatures) != 1 and "serving_default" not in signatures:
            raise InvalidInput(
                f"{path} has {len(signatures)} signatures; it needs one, or one named 'serving_default'."
            )
        key = "serving_default" if "serving_default" in signatures else next(iter(signatures))
        runner = self._interpreter.get_signature_runner(key)
        inputs, outputs = _specs(runner.get_input_details()), _specs(runner.get_output_details())
        self._single = any(spec.shape and spec.shape[0] == 1 for spec in inputs)
        if self._single:
            inputs, outputs = tuple(map(_free_batch, inputs)), tuple(map(_free_batch, outputs))
        self.signature = face.described(Signature(inputs, outputs), self.metadata, str(path))
        kind = _Direct if _of_main(self._interpreter, runner) else _ThroughRunner
        self._run = kind(self._interpreter, runner, self.signature.output_names)

    def run_checked(self, arrays: Arrays) -> Arrays:
        with self._lock:
            count = len(next(iter(arrays.values()))) if self._single else 1
            if count == 1:
                return self._invoke(arrays)
            rows = [self._invoke(_row(arrays, row)) for row in range(count)]
        return {name: np.concatenate([row[name] for row in rows]) for name in self.signature.output_names}

    def _invoke(self, arrays: Arrays) -> Arrays:
        self._interpreter.reset_all_variables()
        try:
            return self._run(arrays)
        except (RuntimeError, ValueError) as error:
            raise self.refuse_to_run(str(self.path), error) from error


class _ThroughRunner:
    """One invocation, by the runner of a signature."""

    def __init__(self, _: Any, runner: Any, outputs: Sequence[str]) -> None:
        self._runner, self._names = runner, outputs

    def __call__(self, arrays: Arrays) -> Arrays:
        found = self._runner(**arrays)
        return {name: found[name] for name in self._names}


class _Direct:
    """One invocation, of the first subgraph. A runner sizes and allocates all tensors anew at every call, which takes
    longer than a small step; here it is done when a shape changes."""

    def __init__(self, interpreter: Any, runner: Any, outputs: Sequence[str]) -> None:
        self._interpreter = interpreter
        found = runner.get_output_details()
        self._inputs = [(name, item["index"]) for name, item in runner.get_input_details().items()]
        self._outputs = [(name, found[name]["index"]) for name in outputs]
        self._shapes: list[tuple[int, ...]] = []

    def __call__(self, arrays: Arrays) -> Arrays:
        interpreter, shapes = self._interpreter, [arrays[name].shape for name, _ in self._inputs]
        if shapes != self._shapes:
            self._resize(shapes)
        for name, index in self._inputs:
            interpreter.set_tensor(index, arrays[name])
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._outputs}

    def _resize(self, shapes: list[tuple[int, ...]]) -> None:
        self._shapes = []  # a shape that does not fit leaves nothing allocated
        for (_, index), shape in zip(self._inputs, shapes, strict=True):
            self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def _of_main(interpreter: Any, runner: Any) -> bool:
    """Whether a signature is that of the first subgraph, the one whose tensors an interpreter sets and gets."""
    pairs = (
        (interpreter.get_input_details(), runner.get_input_details()),
        (interpreter.get_output_details(), runner.get_output_details()),
    )
    return all(
        {(item["index"], item["name"]) for item in main} == {(item["index"], item["name"]) for item in own.values()}
        for main, own in pairs
    )


def _metadata(path: Path, content: bytes) -> manifest.Manifest | None:
    try:
        text = tflite_metadata.read(content, manifest.KEY)
    except ValueError as error:
        raise UntrustedFile(f"{path} is not a TFLite file: {error}. Fetch or export it again.") from error
    return None if text is None else manifest.parse(text.decode(errors="replace"), str(path))


def _interpreter(path: Path, content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingDependency(
            "Running a TFLite file needs the package ai-edge-litert, which is not installed. "
            "Run: pip install 'recurrent-zoo[export]'"
        ) from error
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
    except (RuntimeError, ValueError) as error:
        raise UntrustedFile(
            f"{path} is not a TFLite file that LiteRT can load: {first_line(error)} Fetch or export it again."
        ) from error
    try:
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"{path} needs operators that LiteRT does not have: {first_line(error)} "
            "Export the Keras model with export.to_tflite, which uses built-in operators only."
        ) from error
    return interpreter


def _specs(details: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(_spec(name, item) for name, item in details.items())


def _spec(name: str, item: Any) -> TensorSpec:
    signature = item["shape_signature"] if len(item["shape_signature"]) else item["shape"]
    return face.tensor(name, np.dtype(item["dtype"]).name, [None if size < 0 else int(size) for size in signature])


def _free_batch(spec: TensorSpec) -> TensorSpec:
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:]), spec.axes) if spec.shape else spec


def _row(arrays: Arrays, row: int) -> Arrays:
    return {name: array[row : row + 1] for name, array in arrays.items()}
