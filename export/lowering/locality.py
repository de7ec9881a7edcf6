"""Which parts of a model treat every time step alone: tried on small random arrays, not guessed from names.

A part streams by itself if its answers to two chunks, joined, are its answer to both at once; or, where its answer has
no time axis, if the answer to the last chunk is the answer to all (`x[:, -1]`, say).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from zoo.errors import Unsupported

_STEPS, _SPLIT = 6, 2
_REMEDY = "Take it out, or export without streaming"
_SHAPE_ONLY = ("Shape", "ShapeN", "Rank", "Size")
_ATTENTION = "every step attends to the whole sequence"
_REASONS: Sequence[tuple[type, str, str]] = (
    (layers.Attention, _ATTENTION, _REMEDY),
    (layers.AdditiveAttention, _ATTENTION, _REMEDY),
    (layers.MultiHeadAttention, _ATTENTION, _REMEDY),
    (layers.GroupQueryAttention, _ATTENTION, _REMEDY),
    (layers.GlobalAveragePooling1D, "it averages over the whole sequence", _REMEDY),
    (layers.GlobalMaxPooling1D, "it takes the maximum over the whole sequence", _REMEDY),
    (layers.Flatten, "it merges the steps of the whole sequence", _REMEDY),
    (layers.Softmax, "it normalises over the time axis", "Give it axis=-1, or export without streaming"),
    (layers.Reshape, "it reshapes the time axis", _REMEDY),
    (layers.Permute, "it moves the time axis", _REMEDY),
    (layers.ZeroPadding1D, "it pads the ends of the sequence", _REMEDY),
    (layers.Cropping1D, "it crops the ends of the sequence", _REMEDY),
)


def refusal(layer: Any, rule: str, remedy: str = _REMEDY) -> Unsupported:
    kind = "Layer" if isinstance(layer, layers.Layer) else "Operation"
    return Unsupported(f"{kind} {layer.name!r} ({type(layer).__name__}) cannot stream: {rule}. {remedy}.")


def is_timed(value: Any) -> bool:
    """Whether a tensor of a discovery trace has a time axis: there, time alone is free beside the batch."""
    return isinstance(value, tf.Tensor) and (
        value.shape.rank is None or (value.shape.rank > 1 and value.shape[1] is None)
    )


def require_local(layer: Any, call: Callable[..., Any], args: Any, kwargs: Any, streamed: set[str]) -> None:
    """Raises Unsupported unless one call of `layer` in a discovery trace treats every step alone.

    `streamed` names the placeholders that move with time: inputs with a time axis, and states.
    """
    tensors = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, tf.Tensor)]
    if not any(map(is_timed, tensors)):
        return
    if any(not is_timed(value) and placeholders(value) & streamed for value in tensors):
        raise refusal(
            layer, "it joins the steps to an answer over the whole sequence, which a stream does not have yet"
        )
    with tf.init_scope():
        local = _is_local(call, args, kwargs)
    if not local:
        known = (reason for kind, *reason in _REASONS if isinstance(layer, kind))
        raise refusal(layer, *next(known, ("its answer for one step depends on other steps", _REMEDY)))


def placeholders(tensor: tf.Tensor) -> set[str]:
    """The placeholders whose values, not just shapes, reach a tensor of a graph."""
    found, seen, queue = set(), set(), [tensor.op]
    while queue:
        operation = queue.pop()
        if operation.name in seen or operation.type in _SHAPE_ONLY:
            continue
        seen.add(operation.name)
        if operation.type == "Placeholder":
            found.add(operation.name)
        queue += [value.op for value in operation.inputs]
    return found


def _is_local(call: Callable[..., Any], args: Any, kwargs: Any) -> bool:
    random = np.random.default_rng(0)
    samples = keras.tree.map_structure(lambda value: _sample(value, random), (args, kwargs))

    def run(start: int, end: int) -> list[np.ndarray]:
        chunk = keras.tree.map_structure(
            lambda pair: pair.between(start, end) if isinstance(pair, _Sample) else pair, samples
        )
        outputs = keras.tree.flatten(call(*chunk[0], **chunk[1]))
        return [keras.ops.convert_to_numpy(value) for value in outputs if value is not None]

    try:
        runs = [run(0, _STEPS), run(0, _SPLIT), run(_SPLIT, _STEPS)]
    except (ValueError, TypeError, tf.errors.OpError):
        return False  # it wants one length, so a chunk is not enough for it
    return all(joins(*values) and not _is_flat(*values) for values in zip(*runs, strict=True))


def _is_flat(whole: np.ndarray, first: np.ndarray, rest: np.ndarray) -> bool:
    """Whether steps and features became one axis, which joins in time but has no steps."""
    return whole.ndim == 2 and whole.shape != rest.shape and whole.shape[1] != _STEPS


@dataclass(frozen=True)
class _Sample:
    """Random values for one tensor of the trace, cut in time where it has a time axis."""

    values: np.ndarray
    timed: bool

    def between(self, start: int, end: int) -> tf.Tensor:
        return tf.constant(self.values[:, start:end] if self.timed else self.values)


def _sample(value: Any, random: np.random.Generator) -> Any:
    if not isinstance(value, tf.Tensor):
        return value
    timed = is_timed(value)
    shape = [2 if size is None else size for size in value.shape]
    if timed:
        shape[1] = _STEPS
    return _Sample(noise(random, shape, value.dtype.as_numpy_dtype), timed)


def noise(random: np.random.Generator, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Normal numbers, or the integers (or booleans) 0 and 1, which every vocabulary has."""
    if np.issubdtype(np.dtype(dtype), np.integer) or np.dtype(dtype) == bool:
        return random.integers(0, 2, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def joins(whole: np.ndarray, first: np.ndarray, rest: np.ndarray) -> bool:
    """Whether two answers in a row are the answer to both at once; without a time axis the later one is."""
    if whole.shape == rest.shape:
        return np.allclose(whole, rest, rtol=1e-4, atol=1e-5, equal_nan=True)
    if whole.ndim < 2 or first.shape[1] + rest.shape[1] != whole.shape[1]:
        return False
    joined = np.concatenate([first, rest], 1)
    return joined.shape == whole.shape and np.allclose(joined, whole, rtol=1e-4, atol=1e-5, equal_nan=True)


def graph_operations(inner: Sequence[layers.Layer]) -> list[Any]:
    """The `keras.ops` in the functional graphs among the layers `inner`, each once."""
    graphs = [getattr(layer, "_functional", None) or layer for layer in inner]
    found = [operation for graph in graphs for operation in getattr(graph, "operations", ())]
    return list({id(item): item for item in found if not isinstance(item, layers.Layer)}.values())
