"""TensorFlow without its running commentary. Needs no TensorFlow itself, so it can surround its first import."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing on standard error inside: TensorFlow's C++ part writes there past every setting made after its import."""
    logger = logging.getLogger("tensorflow")
    level, kept = logger.level, os.dup(2)
    sys.stderr.flush()
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
