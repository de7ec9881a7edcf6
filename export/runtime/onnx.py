"""ONNX files through ONNX Runtime: NumPy in, NumPy out, nothing else installed."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export import manifest
from export.runtime import face
from export.runtime.executor import Executor, first_line
from export.runtime.inputs import Arrays
from zoo.errors import InvalidInput, MissingDependency, UntrustedFile
from zoo.spec import Signature, TensorSpec

ROWS = 4
_DTYPES = {"float": "float32"}  # the others are named as NumPy names them


class OnnxExecutor(Executor):
    """One session, run by one thread unless `threads` says otherwise.

    A recurrent step is too small to share: two LSTM layers (T=128, D=9, H=64) at batch 1 take 0.30 ms on one thread
    and 0.29 ms on two, two GRU layers 0.29 and 0.28 ms (ONNX Runtime 1.32, x86, interleaved, medians of 150).
    With several threads a batch of `ROWS` rows and more for each of them is cut into as many parts, which run side by
    side, where the file holds a GRU: ONNX Runtime divides the rows of an LSTM among its threads, but the products of a
    GRU step by step, and waits at each. On two threads a GRU of B=32, T=100, D=64, H=128 takes 7.7 ms whole and 3.9 ms
    in parts, one of B=64, T=50, D=256, H=512 takes 50 and 43 ms.
    Only files of this project are parted that compute in float, whose inputs and outputs all have the batch first, and
    the first time the whole runs beside the parts: rows that turn out to depend on one another are never parted again.
    Threads are set here, never when the module is imported.
    `provider` is an execution provider of the installed onnxruntime, for example "cpu" or "cuda"; the default is "cpu".
    Safe to call from several threads at once.
    Raises UntrustedFile for a truncated or foreign file, InvalidInput for a provider that is not installed.
    """

    def __init__(self, path: Path, *, threads: int | None = None, provider: str | None = None) -> None:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        providers = [_provider(ort.get_available_providers(), provider or "cpu")]
        self.path = path
        try:
            self._session = ort.InferenceSession(path, options, providers=providers)
        except Exception as error:  # onnxruntime has a class for each status code and no common one
            raise UntrustedFile(
                f"{path} is not an ONNX file that ONNX Runtime {ort.__version__} can load: {first_line(error)} "
                "Fetch or export it again."
            ) from error
        properties = self._session.get_modelmeta().custom_metadata_map
        self.metadata = manifest.from_onnx(properties, str(path))
        found = Signature(_specs(self._session.get_inputs()), _specs(self._session.get_outputs()))
        self.signature = face.described(found, self.metadata, str(path))
        self._outputs = list(self.signature.output_names)
        self._threads = options.intra_op_num_threads
        kinds = properties.get(manifest.OPERATORS_KEY, "").split(",")
        alone = self.metadata is not None and not any(kind.startswith(manifest.RANGED) for kind in kinds)
        self._rows_part = "GRU" in kinds and alone and self._threads > 1 and _batch_first(self.signature)
        self._rows_compared = False

    def run_checked(self, arrays: Arrays) -> Arrays:
        if self._rows_part and len(next(iter(arrays.values()))) >= ROWS * self._threads:
            return self._by_rows(arrays)
        return self._whole(arrays)

    def _whole(self, arrays: Arrays) -> Arrays:
        try:
            values = self._session.run(self._outputs, arrays)
        except Exception as error:
            raise self.refuse_to_run(str(self.path), error) from error
        return dict(zip(self._outputs, values, strict=True))

    def _by_rows(self, arrays: Arrays) -> Arrays:
        """All parts but the last run on threads of the session itself: they are awake, while one of Python's would
        have to be woken."""
        split = {name: np.array_split(array, self._threads) for name, array in arrays.items()}
        parts = [{name: split[name][index] for name in split} for index in range(self._threads)]
        waiting = [_Waiting(self._session, self._outputs, part) for part in parts[:-1]]
        last = self._whole(parts[-1])
        found = [part.result(self, str(self.path)) for part in waiting] + [last]
        whole = {name: np.concatenate([part[name] for part in found]) for name in self._outputs}
        return whole if self._rows_compared else self._compared(arrays, whole)

    def _compared(self, arrays: Arrays, parted: Arrays) -> Arrays:
        whole = self._whole(arrays)
        self._rows_compared = True
        self._rows_part = all(
            whole[name].shape == parted[name].shape and np.allclose(whole[name], parted[name], 1e-3, 1e-4)
            for name in self._outputs
        )
        return whole


class _Waiting:
    """One part on its way through the session."""

    def __init__(self, session: Any, outputs: list[str], arrays: Arrays) -> None:
        self._outputs, self._done = outputs, threading.Event()
        self._values: Any = None
        self._error = ""
        session.run_async(outputs, arrays, self._finish, None)

    def _finish(self, values: Any, _: Any, error: str) -> None:
        self._values, self._error = values, error
        self._done.set()

    def result(self, executor: Executor, path: str) -> Arrays:
        self._done.wait()
        if self._error:
            raise executor.refuse_to_run(path, RuntimeError(self._error))
        return dict(zip(self._outputs, self._values, strict=True))


def _batch_first(signature: Signature) -> bool:
    specs = (*signature.inputs, *signature.outputs)
    return all(spec.axes[:1] == ("batch",) and spec.shape[0] is None for spec in specs)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependency(
            "Running an ONNX file needs the package onnxruntime, which is not installed. Run: pip install recurrent-zoo"
        ) from error
    return onnxruntime


def _provider(available: Sequence[str], name: str) -> str:
    short = {full.removesuffix("ExecutionProvider").lower(): full for full in available}
    if name.removesuffix("ExecutionProvider").lower() not in short:
        raise InvalidInput(
            f"Provider {name!r} is not part of the installed onnxruntime; it has {', '.join(sorted(short))}. "
            "Choose one of these or install an onnxruntime package that has it."
        )
    return short[name.removesuffix("ExecutionProvider").lower()]


def _specs(arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(_spec(item) for item in arguments)


def _spec(item: Any) -> TensorSpec:
    dtype = item.type.removeprefix("tensor(").removesuffix(")")
    sizes = [size if isinstance(size, int) else None for size in item.shape or ()]
    return face.tensor(item.name, _DTYPES.get(dtype, dtype), sizes)
