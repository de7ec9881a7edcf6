"""What the conformance matrix says of one feature in one file format, and COVERAGE.md, made from all of it.

    native     the format's own recurrent operator: ONNX `LSTM`, `GRU`, `RNN`; TFLite `UNIDIRECTIONAL_SEQUENCE_LSTM`
    built-in   other operators every runtime of the format has: in TFLite two `WHILE`s, one of blocks of steps and one
               of the steps left over, or the steps written out
    fallback   the layer's own cell step by step, right but slow, with a note that names the layer
    refused    no file; an error that says why and what to do

`features.py` holds the matrix. `test_matrix.py` exports every cell and holds the file to it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FORMATS = ("onnx", "tflite", "saved_model")
RECURRENT = {
    "onnx": {"LSTM", "GRU", "RNN", "Loop", "Scan", "If"},
    "tflite": {"UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE", "IF", "CALL_ONCE"},
    "saved_model": set(),
}
NATIVE = {"LSTM", "GRU", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
OUTCOMES = ("native", "built-in", "fallback", "refused")


@dataclass(frozen=True)
class File:
    """A right file. `operators` are all its `RECURRENT` ones and how often each occurs; `fallback` names the layers
    whose notes say that they run their own cells step by step."""

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
    """No file; `error` is the whole text, but for the {name} or {path} of the model."""

    error: str
    outcome: str = "refused"

    def __str__(self) -> str:
        return f"refused: {self.error.format(name='model', path='model.keras')}"


Cell = File | Refused


@dataclass(frozen=True)
class Feature:
    """`build` makes the smallest model that has it, or the path of one. `tolerance` is of Keras' own arithmetic."""

    name: str
    build: Callable[[], Any]
    onnx: Cell
    tflite: Cell
    saved_model: Cell = field(default_factory=File)
    tolerance: float = 2e-5

    def cells(self) -> tuple[Cell, Cell, Cell]:
        return self.onnx, self.tflite, self.saved_model


def onnx(**operators: int) -> File:
    return File(operators)


def fused(count: int = 1, **others: int) -> File:
    return File({"UNIDIRECTIONAL_SEQUENCE_LSTM": count} | others)


def loops(count: int = 1) -> File:
    """As many recurrences, each a `WHILE` of blocks of steps and one of those left over; none where they are written
    out."""
    return File({"WHILE": 2 * count} if count else {})


def rounds(count: int = 1) -> File:
    """As many scans in parallel, each one `WHILE` of log2 T rounds."""
    return File({"WHILE": count})


def looped(*names: str, **operators: int) -> File:
    return File(operators, names)


def refused(name: str, build: Callable[[], Any], error: str) -> Feature:
    """A feature no format can hold."""
    return Feature(name, build, Refused(error), Refused(error), Refused(error))


_HEAD = """# Coverage

What becomes of a Keras model in each file format. Made by `python -m tests.conformance.coverage` from the conformance
matrix: `tests/conformance/test_matrix.py` exports every cell, runs the file beside Keras on padded and unpadded input
twice in a row, compares its operators with those that stand here and the whole text of every refusal, and fails if this
page differs from the matrix.

- **native**: the format's own recurrent operator, as many as are named. Masks become sequence lengths, exact for any
  pattern.
- **built-in**: other operators that every runtime of the format has. In TFLite two `WHILE`s for a recurrence, one of
  blocks of steps and one of the steps left over, or, for at most 50 steps of a fixed length, the steps written out;
  never an operator of the Select TF library. A SavedModel holds TensorFlow's own operators, and runs without Keras and
  without a GPU.
- **fallback**: the layer's own cell step by step: right but slow, with a note that names the layer.
- **refused**: no file is written; the error says why and what to do.

In full integers (`quantize="int8"`, `"int16x8"`) TFLite keeps the fused LSTM for int8 alone, as LiteRT's operator takes
no int16 activations. GRU, SimpleRNN and the LSTM of int16x8 are a `WHILE` of int16 activations and int8 weights, which
LiteRT and TensorFlow Lite Micro run: `tests/export/test_tflite_loops.py` holds it to NumPy in both.
"""


def coverage(rows: Mapping[str, tuple[Feature, ...]], besides: str) -> str:
    return "\n".join(
        [
            _HEAD,
            *_counts(rows),
            "",
            besides,
            *(line for row, features in rows.items() for line in _table(row, features)),
        ]
    )


def _counts(rows: Mapping[str, tuple[Feature, ...]]) -> Iterator[str]:
    cells = [feature.cells() for features in rows.values() for feature in features]
    yield from ("| outcome | ONNX | TFLite | SavedModel |", "| --- | --- | --- | --- |")
    for outcome in OUTCOMES:
        counts = [sum(row[place].outcome == outcome for row in cells) for place in range(len(FORMATS))]
        yield f"| {outcome} | {' | '.join(map(str, counts))} |"


def _table(row: str, features: tuple[Feature, ...]) -> Iterator[str]:
    yield from (
        f"\n## {row[0].upper()}{row[1:]}\n",
        "| feature | ONNX | TFLite | SavedModel |",
        "| --- | --- | --- | --- |",
    )
    for feature in features:
        texts = list(map(str, feature.cells()))
        yield f"| {feature.name} | {' | '.join(texts[:1] + ['the same'] * 2 if _alike(feature) else texts)} |"


def _alike(feature: Feature) -> bool:
    """Whether one refusal says it for all formats."""
    return isinstance(feature.onnx, Refused) and feature.onnx == feature.tflite == feature.saved_model
