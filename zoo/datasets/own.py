"""Data of one's own: an `.npz` file with x and y, and what `zoo train NAME --data` makes of it.

x                        float [N, T, features]
y                        classes: integers [N] from 0 up, or names [N]; regression: float [N] or [N, values]
labels                   names of the classes, in order (optional; else the numbers, or the sorted names in y)
x_validation, y_validation   else a fifth of x and y, of every class alike, is held out
x_test, y_test               (optional) scored once, at the end
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.datasets.base import Dataset, Split, Splits
from zoo.errors import InvalidInput
from zoo.spec import DatasetRef

PARTS = ("x", "y", "x_validation", "y_validation", "x_test", "y_test")
HELD_OUT = 0.2


def read(path: Path, *, features: int, classes: bool) -> Dataset:
    """The data in the file at `path`, checked.

    features: what the model reads at each step
    classes:  y holds classes; else it holds values
    Raises InvalidInput naming the file, the array and the example at fault.
    """
    arrays = _arrays(path)
    names = _labels(path, arrays) if classes else ()
    parts = {}
    for part in ("", "_validation", "_test"):
        if f"x{part}" in arrays:
            parts[part] = _split(path, arrays, part, features, names)
    train = parts[""]
    for part, found in parts.items():
        if found.y.shape[1:] != train.y.shape[1:]:
            raise InvalidInput(f"{path}: y has {train.y.shape[1]} values an example, y{part} has {found.y.shape[1]}.")
    _require_every_class(path, train, names)
    validation = parts.get("_validation")
    if validation is None:
        train, validation = _hold_out(path, train, classes)
    nothing = Split(train.x[:0], train.y[:0])
    splits = Splits(train, validation, parts.get("_test", nothing))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    ref = DatasetRef(path.name, path.name, f"sha256:{digest}", "your own", "")
    return Dataset(ref, names, lambda: splits)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist.")
    try:
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            single = not isinstance(file, np.lib.npyio.NpzFile)
            arrays = {} if single else {name: file[name] for name in file.files}
    except (ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise InvalidInput(f"{path} holds Python objects, which are never loaded: save plain arrays.") from error
        raise InvalidInput(f"{path} is not an .npz file ({error}). Save it with numpy.savez.") from error
    if single:
        raise InvalidInput(f"{path} holds one array: save x and y together with numpy.savez.")
    _require_parts(path, arrays)
    return arrays


def _require_parts(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises InvalidInput for an array that is missing or not known."""
    unknown = sorted(arrays.keys() - {*PARTS, "labels"})
    if unknown:
        raise InvalidInput(f"{path} holds {unknown[0]!r}; it may hold {', '.join(PARTS)} and labels.")
    for part in ("", "_validation", "_test"):
        both = [name for name in (f"x{part}", f"y{part}") if name in arrays]
        if len(both) == 1 or (not both and not part):
            missing = next(name for name in (f"x{part}", f"y{part}") if name not in arrays)
            raise InvalidInput(f"{path} lacks {missing!r}; it holds {', '.join(sorted(arrays)) or 'nothing'}.")


def _labels(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    y = arrays["y"]
    if "labels" in arrays:
        if arrays["labels"].ndim != 1:
            raise InvalidInput(f"{path}: labels has shape {list(arrays['labels'].shape)}; it is a list of names.")
        labels = tuple(map(str, arrays["labels"]))
        if len(set(labels)) != len(labels):
            raise InvalidInput(f"{path}: labels {list(labels)} name a class twice.")
    elif y.dtype.kind in "US":
        labels = tuple(sorted(set(map(str, y.ravel()))))
    elif y.dtype.kind in "iu" and y.size and y.min() >= 0:
        labels = tuple(str(index) for index in range(int(y.max()) + 1))
    else:
        what = f"holds {y.min()}" if y.dtype.kind in "iu" and y.size else f"has dtype {y.dtype}"
        raise InvalidInput(f"{path}: y {what}; classes are integers from 0 up, or names.")
    if len(labels) < 2:
        raise InvalidInput(f"{path}: y has one class, {labels[0]!r}; there must be two or more to tell apart.")
    return labels


def _split(path: Path, arrays: Mapping[str, np.ndarray], part: str, features: int, names: tuple[str, ...]) -> Split:
    x, y = arrays[f"x{part}"], arrays[f"y{part}"]
    if x.ndim != 3 or x.shape[2] != features or not x.size:
        raise InvalidInput(
            f"{path}: x{part} has shape {list(x.shape)}; the model takes [examples, time, {features} features]."
        )
    if x.dtype.kind not in "fiu":
        raise InvalidInput(f"{path}: x{part} has dtype {x.dtype}; it must hold numbers.")
    if not y.ndim:
        raise InvalidInput(f"{path}: y{part} is a single number; it holds one for each of the {len(x)} examples.")
    if len(y) != len(x):
        raise InvalidInput(f"{path}: x{part} has {len(x)} examples, y{part} has {len(y)}.")
    with np.errstate(over="ignore"):
        x = x.astype("float32")
    if not np.isfinite(x).all():
        at = [int(axis[0]) for axis in np.nonzero(~np.isfinite(x))]
        raise InvalidInput(f"{path}: x{part} holds {x[tuple(at)]} at {at}. Fill or drop it.")
    y = _classes(path, y, part, names) if names else _values(path, y, part)
    return Split(x, y)


def _classes(path: Path, y: np.ndarray, part: str, names: tuple[str, ...]) -> np.ndarray:
    """y as int32 [N]."""
    if y.ndim != 1:
        raise InvalidInput(f"{path}: y{part} has shape {list(y.shape)}; classes are one number or name an example.")
    if y.dtype.kind in "US":
        unknown = sorted(set(map(str, y)) - set(names))
        if unknown:
            raise InvalidInput(f"{path}: y{part} names {unknown[0]!r}, which is none of {', '.join(names)}.")
        return np.array([names.index(str(name)) for name in y], "int32")
    if y.dtype.kind not in "iu":
        raise InvalidInput(f"{path}: y{part} has dtype {y.dtype}; classes are integers from 0 up, or names.")
    wrong = np.nonzero((y < 0) | (y >= len(names)))[0]
    if len(wrong):
        raise InvalidInput(
            f"{path}: y{part}[{wrong[0]}] is {y[wrong[0]]}; the {len(names)} classes are 0 to {len(names) - 1}."
        )
    return y.astype("int32")


def _values(path: Path, y: np.ndarray, part: str) -> np.ndarray:
    """y as float32 [N, values]."""
    with np.errstate(over="ignore"):
        fits = y.dtype.kind in "fiu" and y.ndim < 3 and y.size and np.isfinite(y.astype("float32")).all()
    if not fits:
        raise InvalidInput(f"{path}: y{part} must hold finite numbers [examples] or [examples, values].")
    return y.reshape(len(y), -1).astype("float32")


def _require_every_class(path: Path, train: Split, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        if not (train.y == index).any():
            raise InvalidInput(f"{path}: no example in y is of class {name!r}.")


def _hold_out(path: Path, split: Split, classes: bool) -> tuple[Split, Split]:
    """Training and validation: a fifth, at least one, of every class, drawn by the same rule every time."""
    rng, chosen = np.random.default_rng(0), np.zeros(len(split), bool)
    groups = [np.nonzero(split.y == name)[0] for name in np.unique(split.y)] if classes else [np.arange(len(split))]
    for members in groups:
        if len(members) < 2:
            raise InvalidInput(
                f"{path}: a class with one example cannot be held out: add examples, or x_validation and y_validation."
            )
        chosen[rng.permutation(members)[: max(1, round(HELD_OUT * len(members)))]] = True
    return split.take(np.nonzero(~chosen)[0]), split.take(np.nonzero(chosen)[0])
