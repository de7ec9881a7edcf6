"""Everything that leaves Keras: any recurrent Keras 3 model as ONNX, TFLite or SavedModel, checked before you get it.

    export.export(model, to=("onnx", "tflite"), out="out")    out/<name>/model.onnx, model.tflite, manifest.json
    export.to_onnx(model, "model.onnx")                       one file
    export.runtime.load("model.onnx").run({...})              NumPy and ONNX Runtime only

Importing this package imports neither Keras nor TensorFlow; exporting does.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export import runtime
    from export.artifact import Artifact
    from export.engine import export, to_onnx, to_saved_model, to_tflite

__all__ = ["Artifact", "export", "runtime", "to_onnx", "to_saved_model", "to_tflite"]


def __getattr__(name: str) -> Any:
    if name == "Artifact":
        from export.artifact import Artifact

        return Artifact
    if name == "runtime":
        return importlib.import_module("export.runtime")
    if name in __all__:
        from export import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
