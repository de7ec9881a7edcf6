"""TensorFlow without its running commentary. Needs no TensorFlow itself, so it can surround its first import."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

_LOCK, _undo = threading.Lock(), contextlib.ExitStack()
_inside = 0  # how many threads are


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing on standard error inside: TensorFlow's C++ part writes there past every setting made after its import.
    Several threads may be inside at once; there is one standard error for all."""
    global _inside
    with _LOCK:
        if not _inside:
            _undo.enter_context(_silenced())
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                _undo.close()


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
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
