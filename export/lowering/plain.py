"""Recurrences as plain TensorFlow loops: what a SavedModel's streaming signature runs, and the reference of targets."""

from typing import Any

import keras
import tensorflow as tf

from export.lowering.recurrence import Recurrence
from export.lowering.trace import Run, States, Target


class PlainTarget(Target):
    """Dynamic batch and time, every recurrence one `tf.while_loop` of its equations."""

    def recurrence(self, item: Recurrence, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run:
        batch, steps = tf.shape(x)[0], tf.shape(x)[1]
        if states is None:
            states = [tf.zeros([batch, item.units]) for _ in item.state_names]
        bias = item.bias[0] if item.reset_after else item.bias
        by_time = tf.transpose(tf.matmul(x, item.kernel) + bias, (1, 0, 2))
        array = tf.TensorArray(tf.float32, steps, element_shape=[x.shape[0], item.units])

        def body(count: tf.Tensor, array: tf.TensorArray, *states: tf.Tensor) -> tuple[Any, ...]:
            t = steps - 1 - count if item.backwards else count
            new = _STEPS[item.kind](item, by_time[t], list(states))
            if lengths is not None:
                valid = (t < lengths)[:, None]
                new = [tf.where(valid, *both) for both in zip(new, states, strict=True)]
            return count + 1, array.write(t, new[0]), *new

        _, array, *finals = tf.while_loop(lambda count, *_: count < steps, body, (0, array, *states))
        sequence = tf.transpose(array.stack(), (1, 0, 2))
        return tf.ensure_shape(sequence, [*x.shape[:2], item.units]), finals

    def take(self, values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, steps, batch_dims=1)

    def order(self, key: tf.Tensor) -> tf.Tensor:
        return tf.argsort(key, axis=1)


def _lstm(item: Recurrence, x: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
    act, gate = _activations(item)
    h, c = states
    i, f, g, o = tf.split(x + h @ item.recurrent_kernel, 4, -1)
    c = gate(f) * c + gate(i) * act(g)
    return [gate(o) * act(c), c]


def _gru(item: Recurrence, x: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
    act, gate = _activations(item)
    (h,) = states
    x_z, x_r, x_n = tf.split(x, 3, -1)
    u_zr, u_n = item.recurrent_kernel[:, : 2 * item.units], item.recurrent_kernel[:, 2 * item.units :]
    d_zr, d_n = (item.bias[1][: 2 * item.units], item.bias[1][2 * item.units :]) if item.reset_after else (0.0, 0.0)
    h_z, h_r = tf.split(h @ u_zr + d_zr, 2, -1)
    z, r = gate(x_z + h_z), gate(x_r + h_r)
    n = act(x_n + (r * (h @ u_n + d_n) if item.reset_after else (r * h) @ u_n))
    return [z * h + (1 - z) * n]


def _simple_rnn(item: Recurrence, x: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
    act, _ = _activations(item)
    return [act(x + states[0] @ item.recurrent_kernel)]


_STEPS: dict[str, Any] = {"lstm": _lstm, "gru": _gru, "simple_rnn": _simple_rnn}


def _activations(item: Recurrence) -> tuple[Any, Any]:
    return keras.activations.get(item.activation), keras.activations.get(item.recurrent_activation)
