"""TensorFlow without its start-up messages: they come from C++ before any log level is read."""

import importlib
import os

from export.quiet import quiet
from zoo.errors import MissingDependency


def import_tensorflow() -> None:
    """Imports TensorFlow if it is the backend. Raises MissingDependency if it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return
    try:
        with quiet():
            importlib.import_module("tensorflow")
    except ImportError as error:
        raise MissingDependency(
            "This command needs Keras and TensorFlow: pip install 'recurrent-zoo[export]'. "
            "Without them, predict and eval run with --backend onnx."
        ) from error
