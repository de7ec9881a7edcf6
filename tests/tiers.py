"""What `make test` leaves to `make conformance`, so that it stays short: further cases of what others show already."""

import os
from collections.abc import Iterable
from typing import Any

import pytest

ALL = os.environ.get("CONFORMANCE") == "all"
thorough = pytest.mark.thorough


def some(cases: Iterable[Any], every: int = 2) -> list[Any]:
    """`cases` for `parametrize`: the first and each `every`-th behind it in both, the others in `make conformance`."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*row, marks=thorough if place % every else ()) for place, row in enumerate(rows)]
