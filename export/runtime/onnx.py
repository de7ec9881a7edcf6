"""ONNX files through ONNX Runtime: NumPy in, NumPy out, nothing else installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export import manifest
from export.runtime import face
from export.runtime.executor import Executor, first_line
from export.runtime.inputs import Arrays
from zoo.errors import InvalidInput, MissingDependency, UntrustedFile
from zoo.spec import Signature, TensorSpec

_DTYPES = {"float": "float32"}  # the others are named as NumPy names them


class OnnxExecutor(Executor):
    """One session, run by one thread unless `threads` says otherwise.

    A recurrent step is too small to share: two LSTM layers (T=128, D=9, H=64) at batch 1 take 0.30 ms on one thread
    and 0.29 ms on two, two GRU layers 0.29 and 0.28 ms (ONNX Runtime 1.32, x86, interleaved, medians of 150).
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
        self.metadata = manifest.from_onnx(self._session.get_modelmeta().custom_metadata_map, str(path))
        found = Signature(_specs(self._session.get_inputs()), _specs(self._session.get_outputs()))
        self.signature = face.described(found, self.metadata, str(path))
        self._outputs = list(self.signature.output_names)

    def run_checked(self, arrays: Arrays) -> Arrays:
        try:
            values = self._session.run(self._outputs, arrays)
        except Exception as error:
            raise self.refuse_to_run(str(self.path), error) from error
        return dict(zip(self._outputs, values, strict=True))


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
