"""Gradient checkpointing over time on TensorFlow: both passes are loops, so the graph does not grow with the sequence.

`keras.remat` in a Python loop does the same on the other backends, at the price of a graph as long as the sequence.
B batch, T time, S steps in a segment, N = T / S segments.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Tensors = list[tf.Tensor]
Step = Callable[[tf.Tensor, tf.Tensor, Tensors], Tensors]


def run(step: Step, variables: Sequence[Any], x: tf.Tensor, mask: tf.Tensor, carried: Tensors, segment: int) -> Tensors:
    """[outputs [B, T, H], carried…] of `step` over x [B, T, D], T a multiple of `segment`.

    step:      (x [B, S, D], mask [B, S], carried) -> [outputs [B, S, H], carried…]
    variables: the Keras variables that `step` reads; they get their gradients
    """
    weights = [tf.convert_to_tensor(variable.value) for variable in variables]
    work = _Work(step, variables, mask, segment, x.shape[1] // segment)

    @tf.custom_gradient
    def whole(x: tf.Tensor, *values: tf.Tensor) -> Any:
        weights, carried = list(values[: len(variables)]), list(values[len(variables) :])
        outputs, last, borders = work.forward(x, weights, carried)

        def gradient(d_outputs: tf.Tensor, *d_last: tf.Tensor) -> Tensors:
            return work.backward(x, weights, borders, d_outputs, list(d_last))

        return (outputs, *last), gradient

    return list(whole(x, *weights, *carried))


class _Work:
    def __init__(self, step: Step, variables: Sequence[Any], mask: tf.Tensor, segment: int, count: int) -> None:
        self.step, self.variables, self.mask, self.segment, self.count = step, variables, mask, segment, count

    def cut(self, values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        """Segment `index` [B, S, …] of values [B, T, …]."""
        parts = tf.reshape(values, [tf.shape(values)[0], self.count, self.segment, *values.shape[2:]])
        part = tf.gather(parts, index, axis=1)
        part.set_shape([values.shape[0], self.segment, *values.shape[2:]])
        return part

    def compute(self, x: tf.Tensor, weights: Tensors, index: tf.Tensor, carried: Tensors) -> Tensors:
        with keras.StatelessScope(state_mapping=list(zip(self.variables, weights, strict=True))):
            return self.step(x, self.cut(self.mask, index), carried)

    def forward(self, x: tf.Tensor, weights: Tensors, carried: Tensors) -> tuple[tf.Tensor, Tensors, list[Any]]:
        """outputs [B, T, H], what is carried out of the last segment, and what is carried into each one."""
        borders = [tf.TensorArray(value.dtype, self.count, element_shape=value.shape) for value in carried]
        parts = tf.TensorArray(carried[0].dtype, self.count, element_shape=(None, self.segment, carried[0].shape[-1]))

        def body(index: Any, parts: Any, borders: Any, carried: Any) -> Any:
            borders = [array.write(index, value) for array, value in zip(borders, carried, strict=True)]
            outputs, *following = self.compute(self.cut(x, index), weights, index, list(carried))
            for value, before in zip(following, carried, strict=True):
                value.set_shape(before.shape)
            return index + 1, parts.write(index, outputs), borders, following

        _, parts, borders, carried = tf.while_loop(
            lambda index, *_: index < self.count, body, (0, parts, borders, carried), maximum_iterations=self.count
        )
        return self._joined(parts, x), list(carried), [array.stack() for array in borders]

    def backward(
        self, x: tf.Tensor, weights: Tensors, borders: Tensors, d_outputs: tf.Tensor, d_last: Tensors
    ) -> Tensors:
        """The gradients of [x, weights…, carried…], each segment computed again from what was carried into it."""
        d_parts = tf.TensorArray(x.dtype, self.count, element_shape=(None, self.segment, *x.shape[2:]))
        d_weights = [tf.zeros_like(weight) for weight in weights]

        def body(index: Any, d_parts: Any, d_weights: Any, d_carried: Any) -> Any:
            part, carried = self.cut(x, index), [values[index] for values in borders]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([part, *weights, *carried])
                found = self.compute(part, weights, index, carried)
            d_found = [self.cut(d_outputs, index), *d_carried]
            zero = tf.UnconnectedGradients.ZERO
            d_part, *rest = tape.gradient(found, [part, *weights, *carried], d_found, unconnected_gradients=zero)
            added = [total + more for total, more in zip(d_weights, rest, strict=False)]
            return index - 1, d_parts.write(index, d_part), added, rest[len(weights) :]

        _, d_parts, d_weights, d_carried = tf.while_loop(
            lambda index, *_: index >= 0,
            body,
            (self.count - 1, d_parts, d_weights, d_last),
            maximum_iterations=self.count,
        )
        return [self._joined(d_parts, x), *d_weights, *d_carried]

    def _joined(self, parts: Any, x: tf.Tensor) -> tf.Tensor:
        """[B, T, …] of an array of N parts [B, S, …]."""
        stacked = parts.stack()
        order = [1, 0, *range(2, len(stacked.shape))]
        shape = [tf.shape(x)[0], self.count * self.segment, *stacked.shape[3:]]
        joined = tf.reshape(tf.transpose(stacked, order), shape)
        joined.set_shape([x.shape[0], self.count * self.segment, *stacked.shape[3:]])
        return joined
