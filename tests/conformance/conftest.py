"""What the matrix, the architectures and the random models share."""

import gc

import pytest

from export import probes

STEPS = 7


@pytest.fixture(scope="module")
def small_probes():
    """The engine's own check on inputs of one size: these tests hold every file against Keras once more.

    What is there before the tests is left out of garbage collections, of which the TFLite converter makes one a file.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "SIZES", ((2, STEPS),))
        patch.setattr(probes, "KIND_SIZES", {})
        patch.setattr(probes, "KIND_SIZE", (2, STEPS))
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()
