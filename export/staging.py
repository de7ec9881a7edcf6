"""The folder an export works in: beside its target, invisible until it is done, gone whatever happens.

A process that is killed cannot remove its folder. So each holds a lock on its own for as long as it lives, and each
export first removes the folders beside its target that nobody holds any more.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import InvalidInput

try:
    import fcntl
except ImportError:  # Windows: a folder left by a killed process stays
    fcntl = None  # type: ignore[assignment]

_PREFIX, _MARK = ".recurrent-zoo-", ".lock"  # a folder of this name without this file is somebody else's


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A path beside `target` that becomes `target` in one rename when the block ends well, and is removed if not.

    Raises InvalidInput for a target that exists or cannot be written.
    """
    _require_free(target)
    place = target.absolute()
    home = next(folder for folder in place.parents if folder.exists())
    _remove_stale(home)
    try:
        folder, lock = _locked_folder(home)
    except OSError as error:
        raise _no_place(home, error) from error
    try:
        yield folder / place.name
        _require_free(target)  # somebody may have been faster
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / place.name, place)
        except OSError as error:
            raise _no_place(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(lock)


def _require_free(target: Path) -> None:
    if target.is_file() or target.is_symlink() or (target.is_dir() and any(target.iterdir())):
        raise InvalidInput(f"{target} exists already. Remove it, or export to another place.")


def _no_place(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"Cannot write to {path}: {error.strerror}. Export to another place.")


def _locked_folder(home: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=home, prefix=_PREFIX))
        (folder / _MARK).touch()
        lock = _lock(folder)
        if folder.exists():  # another export may have taken it for stale before it was locked
            return folder, lock
        _close(lock)


def _remove_stale(home: Path) -> None:
    for folder in home.glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            _close(lock)


def _lock(folder: Path) -> int | None:
    """Held until it is closed, or until the process ends in whatever way; None if another process holds it, or if the
    folder is none of ours."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder / _MARK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
