"""COVERAGE.md: `python -m tests.conformance.coverage` writes it."""

from pathlib import Path

from tests.conformance.features import FEATURES_BY_ROW
from tests.conformance.matrix import coverage

PATH = Path(__file__).parents[2] / "COVERAGE.md"


def text() -> str:
    return coverage(FEATURES_BY_ROW)


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
