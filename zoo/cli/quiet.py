"""TensorFlow without its start-up messages: they come from C++ before any log level is read."""

import contextlib
import importlib
import os
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Imports TensorFlow if it is the backend and installed; what needs it says so itself if it is not."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        with _standard_error_closed(), contextlib.suppress(ImportError):
            importlib.import_module("tensorflow")


@contextlib.contextmanager
def _standard_error_closed() -> Iterator[None]:
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
