"""Arrays checked against a signature before they reach a runtime: what is safe is cast, the rest is refused."""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import InvalidInput
from zoo.spec import DTYPES, TensorSpec

Arrays = dict[str, np.ndarray]
_TYPES = {name: np.dtype(name) for name in DTYPES}


def checked(specs: Sequence[TensorSpec], inputs: Mapping[str, Any]) -> Arrays:
    """The inputs as arrays of the dtypes of `specs`, in the order of `specs`.

    Casts within a kind (float64 to float32, int64 to int32) and upwards (bool to int to float).
    Raises InvalidInput for a missing or unknown name, a wrong rank, a wrong size of a fixed axis, batch sizes that
    disagree, any other cast, NaN or infinity, an integer that does not fit, and an empty axis.
    """
    if _fit(specs, inputs):
        return {spec.name: inputs[spec.name] for spec in specs}
    _check_names(specs, inputs)
    arrays = {spec.name: _array(spec, inputs[spec.name]) for spec in specs}
    _check_batches(specs, arrays)
    return arrays


def _fit(specs: Sequence[TensorSpec], inputs: Mapping[str, Any]) -> bool:
    """Whether nothing has to be cast, copied or refused. Where this is in doubt the answer is no, and the checks below
    find out; a step of a stream takes tens of microseconds, of which they would take ten and this takes three."""
    if type(inputs) is not dict or len(inputs) != len(specs):
        return False
    batches = set()
    for spec in specs:
        array = inputs.get(spec.name)
        if type(array) is not np.ndarray or array.dtype is not _TYPES[spec.dtype] or not array.flags.c_contiguous:
            return False
        if len(array.shape) != len(spec.shape) or 0 in array.shape:
            return False
        if any(want is not None and want != size for want, size in zip(spec.shape, array.shape, strict=True)):
            return False
        if spec.axes[:1] == ("batch",) and spec.shape[0] is None:
            batches.add(array.shape[0])
        if array.dtype.kind == "f" and not math.isfinite(np.vdot(array, array)):
            return False
    return len(batches) < 2


def _check_names(specs: Sequence[TensorSpec], inputs: Mapping[str, Any]) -> None:
    names = [spec.name for spec in specs]
    if isinstance(inputs, Mapping) and len(inputs) == len(names) and all(name in inputs for name in names):
        return
    takes = f"This model takes {'; '.join(spec.describe() for spec in specs)}."
    if not isinstance(inputs, Mapping):
        raise InvalidInput(f"Inputs must be a dict of name to array, not {type(inputs).__name__}. {takes}")
    for name in inputs:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            raise InvalidInput(f"Unknown input {name!r}.{f' Did you mean {near[0]!r}?' if near else ''} {takes}")
    missing = next(name for name in names if name not in inputs)
    raise InvalidInput(f"Input {missing!r} is missing. {takes}")


def _array(spec: TensorSpec, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidInput(
            f"Input {spec.name!r} is ragged; its rows must have one length. Pad or split them."
        ) from error
    _check_shape(spec, array)
    if array.dtype == spec.dtype:
        cast = array
    elif np.can_cast(array.dtype, spec.dtype, "same_kind"):
        cast = _cast(spec, array)
    else:
        raise InvalidInput(
            f"Input {spec.name!r} has dtype {array.dtype}, which does not become {spec.dtype} without loss. "
            f"Convert it first, if that is meant: x.astype({spec.dtype!r})."
        )
    if cast.dtype.kind == "f" and not np.isfinite(cast).all():
        _refuse_not_finite(spec, array)
    return np.ascontiguousarray(cast)


def _cast(spec: TensorSpec, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = array.astype(spec.dtype)
    if cast.dtype.kind == "i" and (cast != array).any():
        index = np.argwhere(cast != array)[0]
        raise InvalidInput(
            f"Input {spec.name!r} holds {array[tuple(index)]} at {index.tolist()}, which does not fit {spec.dtype}."
        )
    return cast


def _check_shape(spec: TensorSpec, array: np.ndarray) -> None:
    if array.ndim != len(spec.shape):
        hint = " Add the batch axis: x[None]." if array.ndim == len(spec.shape) - 1 else ""
        raise InvalidInput(
            f"Input {spec.name!r} has rank {array.ndim} (shape {list(array.shape)}); expected {spec.describe()}.{hint}"
        )
    for axis, size, want in zip(spec.axes, array.shape, spec.shape, strict=True):
        if size == 0:
            raise InvalidInput(
                f"Input {spec.name!r} is empty on axis {axis!r} (shape {list(array.shape)}); "
                f"expected {spec.describe()}, at least 1 on every axis."
            )
        if want is not None and size != want:
            raise InvalidInput(
                f"Input {spec.name!r} has size {size} on axis {axis!r} (shape {list(array.shape)}); "
                f"expected {spec.describe()}."
            )


def _refuse_not_finite(spec: TensorSpec, array: np.ndarray) -> None:
    found = np.argwhere(~np.isfinite(array))
    if not len(found):
        index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
        raise InvalidInput(
            f"Input {spec.name!r} holds {array[index]} at {[int(place) for place in index]}, which does not fit "
            f"{spec.dtype}."
        )
    index = found[0].tolist()
    raise InvalidInput(
        f"Input {spec.name!r} holds {array[tuple(index)]} at {index}; every value must be finite. "
        "Fill or drop such steps first."
    )


def _check_batches(specs: Sequence[TensorSpec], arrays: Arrays) -> None:
    free = [spec.name for spec in specs if spec.shape and spec.axes[0] == "batch" and spec.shape[0] is None]
    for name in free[1:]:
        if len(arrays[name]) != len(arrays[free[0]]):
            raise InvalidInput(
                f"Inputs {free[0]!r} and {name!r} have batch sizes {len(arrays[free[0]])} and {len(arrays[name])}; "
                "give both the same."
            )
