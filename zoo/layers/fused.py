"""`path="fused"`: a whole sequence in two functions that XLA compiles, one forward, one backward. TensorFlow on CPU.

The kernels (`fused_lstm`, `fused_gru`) hold the equations; here is what surrounds them:

    shards    the batch is cut in parts that run the whole sequence side by side, one a core: between two steps no
              thread waits for another, which is what costs most in small matrix products
    rooms     XLA compiles once a shape (about a second): a size known only at run time is rounded up, to one of four
              lengths between a power of two and the next; the steps and rows beyond are never run, or zero

First derivatives only. B batch, T time, D features, H units.
"""

import contextlib
import contextvars
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from zoo.layers.fused_gru import GRU_AFTER, GRU_BEFORE
from zoo.layers.fused_lstm import LSTM_KERNEL
from zoo.layers.fused_time import Kernel, Tensor, Tensors, project

SHORTEST = 8  # room for a number of steps known only at run time
MOST_SHARDS = 4
_PROBLEMS = contextvars.ContextVar("problems side by side", default=1)


class Rows(NamedTuple):
    """What has a row for every sequence: x [B, T, D], states [B, H] each, and bool [B, T] or None: which steps are
    valid, and which steps show the hidden state (the others show zeros)."""

    x: Tensor
    states: Tensors
    mask: Tensor | None
    shown: Tensor | None


def kernel(cell: Any) -> Kernel:
    """The kernel that computes what `zoo.cells.LSTMCell` or `GRUCell` does."""
    if hasattr(cell, "reset_after"):
        return GRU_AFTER if cell.reset_after else GRU_BEFORE
    return LSTM_KERNEL


def no_bias(cell: Any) -> Tensor:
    """The zeros that stand for the bias of a cell without one."""
    width = cell.recurrent_kernel.shape[1]
    return tf.zeros([2, width] if getattr(cell, "reset_after", False) else [width], cell.compute_dtype)


def run(
    kernel: Kernel,
    x: Tensor,
    states: Tensors,
    weights: Tensors,
    mask: Tensor | None,
    *,
    sequences: bool,
    zero_masked: bool,
) -> tuple[Tensor, Tensors]:
    """The output, [B, T, H] if `sequences` else the last step's [B, H], and the final states, in the dtype of x.

    x [B, T, D]; states [B, H] each; weights (kernel, recurrent kernel, bias); mask bool [B, T] of any pattern or None.
    A masked step keeps the states; its output is zero with `zero_masked`, else the output before it.
    """
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    mask = None if mask is None else tf.cast(mask, tf.bool)
    shown = mask if mask is None or zero_masked else tf.cumsum(tf.cast(mask, tf.int32), 1) > 0
    given = tf.nest.map_structure(lambda tensor: tf.cast(tensor, wide), (x, tuple(states)))
    half = kernel.half(weights[1].shape[0], wide)
    weights = tuple(tf.cast(weight, wide) * half for weight in weights)
    # Within a graph it is part of that graph: XLA would take all that goes into a function inside for constants.
    over_batch = _eager_over_batch if tf.executing_eagerly() else _over_batch
    results = over_batch(kernel, sequences, Rows(given[0], given[1], mask, shown), weights)
    output, *finals = (tf.cast(result, x.dtype) for result in results)
    return output, tuple(finals)


def _over_batch(kernel: Kernel, sequences: bool, rows: Rows, weights: Tensors) -> list[Tensor]:
    """Output and final states, the batch cut in shards."""
    length, batch = _size(rows.x, 1), _size(rows.x, 0)
    count = _shards() if tf.is_tensor(batch) else min(_shards(), batch)
    room, size = _rounded(length, SHORTEST), _rounded(-(-batch // count), 1)
    x, mask, shown = (_padded(over_time, 1, room - length) for over_time in (rows.x, rows.mask, rows.shown))
    padded = [_padded(tensor, 0, size * count - batch) for tensor in tf.nest.flatten(Rows(x, rows.states, mask, shown))]
    parts = [None if tensor is None else tf.split(tensor, count) for tensor in padded]
    results = []
    for k in range(count):
        shard = tf.nest.pack_sequence_as(rows, [part and part[k] for part in parts])
        steps = tf.where(k * size < batch, length, 0)  # a shard past the end of a small batch has nothing to do
        results.append(_shard(kernel, sequences, steps, shard, weights))
    output, *finals = (tf.concat(same, 0)[:batch] for same in zip(*results, strict=True))
    if sequences:
        output = tf.ensure_shape(output[:, :length], [rows.x.shape[0], rows.x.shape[1], None])
    return [output, *finals]


_eager_over_batch = tf.function(_over_batch, autograph=False)


def _shard(kernel: Kernel, sequences: bool, steps: Tensor, rows: Rows, weights: Tensors) -> Tensors:
    """Output and final states of these rows, with the kernel's own gradient."""

    @tf.custom_gradient
    def differentiable(x: Tensor, *rest: Tensor) -> tuple[Tensors, Callable[..., Tensors]]:
        states, weights = rest[: len(rows.states)], rest[len(rows.states) :]
        given = Rows(x, states, rows.mask, rows.shown)
        results, kept = _forward(kernel, sequences, steps, given, weights)

        def gradients(*d_results: Tensor) -> Tensors:
            d_projected, *others = _backward(kernel, sequences, steps, given, weights, kept, d_results)
            d_x = project(d_projected, tf.transpose(weights[0]))  # out here it is not computed where nobody asks
            return (tf.transpose(d_x, [1, 0, 2]), *others)

        return results, gradients

    return differentiable(rows.x, *rows.states, *weights)


@tf.function(autograph=False, jit_compile=True)
def _forward(
    kernel: Kernel, sequences: bool, steps: Tensor, rows: Rows, weights: Tensors
) -> tuple[Tensors, tuple[Tensor, Tensors]]:
    """Output and final states, and what `_backward` needs."""
    x, mask, shown = _time_major(rows)
    hs, finals, kept = kernel.forward(x, rows.states, weights, mask, steps)
    output = hs if shown is None else tf.where(shown, hs, 0)
    output = tf.transpose(output, [1, 0, 2]) if sequences else output[tf.maximum(steps, 1) - 1]
    return (output, *finals), (hs, kept)


@tf.function(autograph=False, jit_compile=True)
def _backward(
    kernel: Kernel,
    sequences: bool,
    steps: Tensor,
    rows: Rows,
    weights: Tensors,
    kept: tuple[Tensor, Tensors],
    d_results: Tensors,
) -> Tensors:
    """The gradients of x times the kernel, [T, B, G], of the states and of the weights."""
    x, mask, shown = _time_major(rows)
    d_output, d_h, *d_more = d_results
    if sequences:
        d_hs = tf.transpose(d_output, [1, 0, 2])
        d_hs = d_hs if shown is None else tf.where(shown, d_hs, 0)
    else:
        d_hs, d_h = None, d_h + (d_output if shown is None else tf.where(shown[tf.maximum(steps, 1) - 1], d_output, 0))
    d, d_states, d_weights = kernel.backward(x, rows.states, weights, mask, steps, *kept, d_hs, (d_h, *d_more))
    return (d, *d_states, *d_weights)


def _time_major(rows: Rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """x [T, B, D], and the masks [T, B, 1]."""
    masks = (None if mask is None else tf.transpose(mask)[..., None] for mask in (rows.mask, rows.shown))
    return tf.transpose(rows.x, [1, 0, 2]), *masks


@contextlib.contextmanager
def side_by_side(problems: int) -> Iterator[None]:
    """Within it so many problems are known to run at once, and share the cores: each is cut in fewer shards."""
    token = _PROBLEMS.set(problems)
    try:
        yield
    finally:
        _PROBLEMS.reset(token)


def _shards() -> int:
    """As many as TensorFlow runs operators side by side, and no more cores than this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(cores, tf.config.threading.get_inter_op_parallelism_threads() or cores)
    return max(1, min(MOST_SHARDS, cores) // _PROBLEMS.get())


def _size(tensor: Tensor, axis: int) -> Tensor | int:
    return tf.shape(tensor)[axis] if tensor.shape[axis] is None else tensor.shape[axis]


def _rounded(size: Tensor | int, least: int) -> Tensor | int:
    """A size known only at run time, up to a multiple of a quarter of the power of two below it, and of `least`."""
    if not tf.is_tensor(size):
        return size
    powers = tf.constant([1 << power for power in range(31)])
    below = tf.reduce_max(tf.where(powers <= size, powers, 1))
    unit = tf.maximum(least, below // 4)
    return -(-size // unit) * unit


def _padded(tensor: Tensor | None, axis: int, more: Tensor | int) -> Tensor | None:
    """`more` zeros (False) at the end of an axis."""
    if tensor is None or (not tf.is_tensor(more) and more == 0):
        return tensor
    return tf.pad(tensor, [[0, more if axis == k else 0] for k in range(tensor.shape.rank)])
