"""From a path or a zoo name to an executor."""

import os
from pathlib import Path

from export import manifest
from export.runtime.executor import Executor
from zoo.errors import InvalidInput

_FILES = ("model.onnx", "model.tflite", "streaming.onnx")  # in a folder, the first that is there


def load(source: str | os.PathLike[str], *, threads: int | None = None, provider: str | None = None) -> Executor:
    """An executor for an `.onnx` or `.tflite` file, a folder that `export` wrote, or a zoo name (of a language model
    the file that streams, see `Executor.stream`).

    `threads` defaults to 1, which is fastest for small recurrent models at batch 1; `provider` to "cpu" (ONNX only).
    Files with a manifest or a card beside them are checked against its sha256 first.
    Raises UnknownName, InvalidInput, UntrustedFile, and MissingDependency (onnxruntime, ai-edge-litert).
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InvalidInput(f"threads must be a whole number of at least 1, not {threads!r}.")
    path = _file(os.fspath(source))
    if path.suffix == ".tflite":
        if provider is not None:
            raise InvalidInput(
                f"Providers are for ONNX files; {path} runs on the CPU. Leave provider={provider!r} out."
            )
        from export.runtime.litert import LiteRTExecutor

        return LiteRTExecutor(path, threads=threads)
    from export.runtime.onnx import OnnxExecutor

    return OnnxExecutor(path, threads=threads, provider=provider)


def _file(source: str) -> Path:
    path = Path(source)
    if path.is_dir():
        return _in_folder(path)
    if path.suffix in (".onnx", ".tflite"):
        if not path.is_file():
            raise InvalidInput(f"There is no file {source!r}. Check the path.")
        manifest.verify_beside(path)
        return path
    if path.is_file() or len(path.parts) != 1:
        raise InvalidInput(f"{source!r} is neither an .onnx nor a .tflite file, a folder with one, nor a zoo name.")
    return _in_zoo(source)


def _in_folder(folder: Path) -> Path:
    names = [name for name in _FILES if (folder / name).is_file()]
    if not names:
        raise InvalidInput(f"Folder {str(folder)!r} holds none of {', '.join(_FILES)}. Export the model into it first.")
    manifest.verify_beside(folder / names[0])
    return folder / names[0]


def _in_zoo(name: str) -> Path:
    from zoo import registry

    card, folder = registry.get(name), registry.folder(name)
    names = [file for file in _FILES if file in card.files]
    if not names:
        parts = " and ".join(sorted(file for file in card.files if file.endswith(".onnx")))
        raise InvalidInput(
            f"Model {name!r} runs in parts, {parts}: zoo.pipeline({name!r}) puts them together; "
            f"to run one by hand, load its path in {str(folder)!r}."
        )
    manifest.verify(folder, {file: digest for file, digest in card.files.items() if file == names[0]})
    return folder / names[0]
