"""For every test: TensorFlow's start-up messages off, as `make test` has it, and few garbage collections."""

import gc
import os

import pytest

from tests import tiers

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
STEPS = 7


def pytest_collection_modifyitems(items):
    for item in items:
        if not tiers.ALL and item.get_closest_marker("thorough"):
            item.add_marker(pytest.mark.skip(reason="`make conformance` runs this, too"))


def pytest_collection_finish():
    """What is there before the tests, TensorFlow above all, is left out of garbage collections: the TFLite converter
    makes one a file."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def plain_graphs():
    """TensorFlow runs its graphs as they were traced: to optimise a small one takes longer than to run it, and the
    answer has to be that of an eager model, an oracle or another runtime either way. A file that tests graphs as they
    are used has a fixture of this name that does nothing."""
    from tensorflow import config

    before = config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    config.optimizer.set_experimental_options({"disable_meta_optimizer": before})


@pytest.fixture(scope="module")
def small_probes():
    """The engine's own check on inputs of one size, for tests that hold every file against Keras once more, or that are
    about something else: `tests/export/test_engine.py` and `test_check.py` are about the check."""
    from export import probes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "SIZES", ((2, STEPS),))
        patch.setattr(probes, "KIND_SIZES", {})
        patch.setattr(probes, "KIND_SIZE", (2, STEPS))
        yield
