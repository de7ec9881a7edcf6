"""What the fused kernels share: values over time [T, B, ...], read and written one step at a time inside a loop.

T steps, B batch, D features, G gates times units, H units. Everything here is traced into a function that XLA compiles.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = Any  # tf.Tensor, which TensorFlow does not type
Tensors: TypeAlias = tuple[Tensor, ...]


class Kernel(NamedTuple):
    """One recurrence. The masks are bool [T, B, 1] or None; what lies beyond `steps`, of T, is room and never run.

    gates: a letter each, "s" for sigmoid and "t" for tanh. XLA vectorises tanh, not the logistic function, and
           s(a) = 0.5 tanh(0.5 a) + 0.5: the weights come with `half` multiplied in, [len(gates) * H] of 0.5 or 1.
    forward(x, states, weights, mask, steps) -> (h of every step [T, B, H], final states, what `backward` needs)
    backward(x, states, weights, mask, steps, hs, kept, d_hs or None, d_finals)
        -> (d of x times the kernel [T, B, G], d_states, d_weights)
    """

    gates: str
    forward: Callable[..., tuple[Tensor, Tensors, Tensors]]
    backward: Callable[..., tuple[Tensor, Tensors, Tensors]]

    def half(self, units: int, dtype: tf.DType) -> Tensor:
        return tf.constant([0.5 if gate == "s" else 1.0 for gate in self.gates for _ in range(units)], dtype)


def array(values: Tensor) -> tf.TensorArray:
    """An array over time that starts as `values` and is overwritten in place."""
    return tf.TensorArray(
        values.dtype, tf.shape(values)[0], element_shape=values.shape[1:], clear_after_read=False
    ).unstack(values)


def blank(x: Tensor, width: int) -> tf.TensorArray:
    """An array of zeros over the steps and rows of x: [T, B, width]."""
    return array(tf.zeros([*tf.unstack(tf.shape(x)[:2]), width], x.dtype))


def forwards(steps: Tensor, body: Callable[..., tuple[Any, ...]], *start: Any) -> list[Any]:
    """What `body(t, *values) -> values` makes of `start` at t = 0, 1 … steps - 1."""
    return tf.while_loop(lambda t, *_: t < steps, lambda t, *values: (t + 1, *body(t, *values)), (0, *start))[1:]


def backwards(steps: Tensor, body: Callable[..., tuple[Any, ...]], *start: Any) -> list[Any]:
    """What `body(t, *values) -> values` makes of `start` at t = steps - 1 … 1, 0."""
    return tf.while_loop(lambda t, *_: t >= 0, lambda t, *values: (t - 1, *body(t, *values)), (steps - 1, *start))[1:]


def earlier(start: Tensor, values: Tensor) -> Tensor:
    """At every step the value of the step before: start [B, H], values [T, B, H] -> [T, B, H]."""
    return tf.concat([start[None], values[:-1]], 0)


def project(x: Tensor, kernel: Tensor) -> Tensor:
    """x [T, B, D], kernel [D, G] -> [T, B, G], as one matrix product."""
    shape = tf.concat([tf.shape(x)[:2], tf.shape(kernel)[1:]], 0)
    product = tf.reshape(tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), kernel), shape)
    product.set_shape([*x.shape[:2], kernel.shape[1]])
    return product


def correlate(x: Tensor, d: Tensor) -> Tensor:
    """The gradient of `project` in its kernel: x [T, B, D], d [T, B, G] -> [D, G], as one matrix product."""
    return tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), tf.reshape(d, [-1, d.shape[-1]]), transpose_a=True)
