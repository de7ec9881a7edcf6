"""What tests of several files share."""

import warnings

import pytest

from export import tflite
from export.tflite_converter import convert


@pytest.fixture
def converted_here(monkeypatch):
    """Integer conversion in this process: another one spends most of its time on importing TensorFlow."""

    def convert_here(folder, quantize):
        with warnings.catch_warnings():  # of the interpreter that TensorFlow's own calibrator uses
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
            return convert(folder, quantize)

    monkeypatch.setattr(tflite, "convert_apart", convert_here)


@pytest.fixture
def model():
    """A model of its own for each test."""
    from tests.export.small import build

    return build()
