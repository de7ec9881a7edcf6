"""The coverage of the export engine as data: one feature a row, and what each file format makes of it.

    native     the format's own recurrent operator: ONNX `LSTM`, `GRU`, `RNN`; TFLite `UNIDIRECTIONAL_SEQUENCE_LSTM`
    built-in   other operators that every runtime of the format has (in TFLite: steps written out, or one `WHILE`)
    fallback   a loop over the layer's own cell, right but slow, with a note that says why
    refused    no file; an error that says why and what to do

`test_matrix.py` exports every cell, holds the file against Keras and the operators against what stands here, and
compares COVERAGE.md with `coverage()`. `python -m tests.conformance.matrix` writes that file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

COVERAGE = Path(__file__).parents[2] / "COVERAGE.md"
FORMATS = ("onnx", "tflite", "saved_model")
RECURRENT = {
    "onnx": ("LSTM", "GRU", "RNN", "Loop", "Scan", "If"),
    "tflite": ("UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE", "IF"),
    "saved_model": (),
}
NATIVE = {"LSTM", "GRU", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM"}


@dataclass(frozen=True)
class File:
    """A right file. `operators` are all of its recurrent ones (see `RECURRENT`) and how often each occurs; `fallback`
    names the layers whose notes say that they run as loops of their own cells."""

    operators: Mapping[str, int] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        if self.fallback:
            return "fallback"
        return "native" if NATIVE & self.operators.keys() else "built-in"

    def __str__(self) -> str:
        found = ", ".join(f"`{name}`" + (f" ×{count}" if count > 1 else "") for name, count in self.operators.items())
        return f"{self.outcome}: {found}" if found else self.outcome


@dataclass(frozen=True)
class Refused:
    """No file. `error` is the whole text; `reason` what the table says of it."""

    error: str
    reason: str
    outcome: str = "refused"

    def __str__(self) -> str:
        return f"refused: {self.reason}"


Cell = File | Refused
SAVED = File()


@dataclass(frozen=True)
class Feature:
    """`build` makes the model, with free batch and time unless the feature is about them. `masked` inputs are padded by
    the value that the model masks; `tolerance` is for models whose own arithmetic is coarse."""

    row: str
    name: str
    build: Callable[[], Any]
    onnx: Cell
    tflite: Cell
    saved_model: Cell = SAVED
    tolerance: float = 2e-5

    def cell(self, format: str) -> Cell:
        return getattr(self, format)


def onnx(**operators: int) -> File:
    return File(operators)


def fused(count: int = 1, **others: int) -> File:
    return File({"UNIDIRECTIONAL_SEQUENCE_LSTM": count} | others)


def loops(count: int = 1) -> File:
    """Steps in as many `WHILE`s; none where they are written out."""
    return File({"WHILE": count} if count else {})
