"""COVERAGE.md: `python -m tests.conformance.coverage` writes it."""

from pathlib import Path

from tests.conformance import fuzz
from tests.conformance.family import LSTM_FAMILY
from tests.conformance.features import RECURRENCES
from tests.conformance.matrix import coverage
from tests.conformance.surroundings import SURROUNDINGS

FEATURES_BY_ROW = RECURRENCES | LSTM_FAMILY | SURROUNDINGS
PATH = Path(__file__).parents[2] / "COVERAGE.md"


def text() -> str:
    return coverage(FEATURES_BY_ROW, fuzz.text())


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
