"""What tests of several files share."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def everywhere(plain_graphs):
    """All files here: layers are held against oracles, and no graph runs often enough to be worth optimising."""
