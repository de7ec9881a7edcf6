"""Running exported files with NumPy and ONNX Runtime (LiteRT for `.tflite`): never TensorFlow, never Keras."""

from export.runtime.executor import Executor
from export.runtime.loading import load
from export.runtime.stream import Stream

__all__ = ["Executor", "Stream", "load"]
