"""The mark of tests that read the real data sets."""

import os

import pytest

needs_data = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="ZOO_DATA names no mirror of the data sets")
