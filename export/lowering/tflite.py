"""Recurrences in TFLite's built-in operators: the fused LSTM where it fits, plain steps where it does not."""

import itertools
from typing import Any

import keras
import tensorflow as tf

from export.lowering.recurrence import Recurrence
from export.lowering.trace import Run, States, Target

_UNROLLED_STEPS = 20


def fuses(item: Recurrence, states: States) -> bool:
    """Whether `UNIDIRECTIONAL_SEQUENCE_LSTM` computes it: it starts from zeros and keeps its states to itself."""
    standard = (item.kind, item.activation, item.recurrent_activation) == ("lstm", "tanh", "sigmoid")
    return standard and states is None and not item.returns_states


class TFLiteTarget(Target):
    """Batch static, time static or dynamic. `unfused` names the recurrences no fused operator took."""

    def __init__(self) -> None:
        self.unfused: list[str] = []
        self._numbers = itertools.count()

    def recurrence(self, item: Recurrence, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run:
        if fuses(item, states):
            return self._fused(item, x, lengths)
        self.unfused.append(item.name)
        start = [tf.zeros((x.shape[0], item.units)) for _ in item.state_names] if states is None else list(states)
        return self._stepped(item, x, start, lengths)

    def take(self, values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, steps, batch_dims=1)

    def order(self, key: tf.Tensor) -> tf.Tensor:
        return tf.math.top_k(-key, k=tf.shape(key)[1]).indices

    def unrolls(self, steps: int | None) -> bool:
        return steps is not None and steps <= _UNROLLED_STEPS

    def _fused(self, item: Recurrence, x: tf.Tensor, lengths: tf.Tensor | None) -> Run:
        x = _reversed(x, lengths) if item.backwards else x
        zero = tf.zeros((x.shape[0], item.units))
        weights = [tf.constant(weight) for weight in (item.kernel, item.recurrent_kernel, item.bias)]
        last, sequence = _fusible_lstm(f"lstm_{next(self._numbers)}")(x, zero, zero, *weights)[:2]
        if lengths is not None:
            last = self.take(sequence, tf.maximum(lengths - 1, 0)[:, None])[:, 0]
            last = tf.where(lengths[:, None] > 0, last, 0.0)
        sequence = _reversed(sequence, lengths) if item.backwards else sequence
        return sequence, [last, tf.fill(tf.shape(last), float("nan"))]

    def _stepped(self, item: Recurrence, x: tf.Tensor, states: list[tf.Tensor], lengths: tf.Tensor | None) -> Run:
        projected = _project(item, x)
        step = _STEPS[item.kind](item)

        def advance(t: Any, x_t: list[tf.Tensor], states: list[tf.Tensor]) -> list[tf.Tensor]:
            new = step(x_t, states)
            if lengths is None:
                return new
            valid = (t < lengths)[:, None]
            return [tf.where(valid, *both) for both in zip(new, states, strict=True)]

        if self.unrolls(x.shape[1]):
            return _unrolled(advance, projected, states, item.backwards)
        return _rolled(advance, projected, states, item.backwards)


def _reversed(x: tf.Tensor, lengths: tf.Tensor | None) -> tf.Tensor:
    return tf.reverse(x, [1]) if lengths is None else tf.reverse_sequence(x, lengths, seq_axis=1)


def _fusible_lstm(name: str) -> Any:
    """The function the converter replaces by the fused operator; it recognises the attributes and the six tensor
    arguments, five results, and reads results 0 and 1. `name` must be unique within a model."""

    @tf.function(
        autograph=False,
        experimental_attributes={
            "api_implements": name,
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        },
    )
    def standard_lstm(
        x: tf.Tensor, h: tf.Tensor, c: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        by_time = tf.transpose(x, (1, 0, 2))
        steps = tf.shape(by_time)[0]
        outputs = tf.TensorArray(tf.float32, steps, element_shape=h.shape)

        def body(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray) -> tuple[Any, ...]:
            i, f, g, o = tf.split(by_time[t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, outputs.write(t, h)

        _, h, c, outputs = tf.while_loop(lambda t, *_: t < steps, body, (0, h, c, outputs))
        return h, tf.transpose(outputs.stack(), (1, 0, 2)), h, c, tf.constant(1.0)

    return standard_lstm


def _project(item: Recurrence, x: tf.Tensor) -> tf.Tensor:
    """x W + b of all steps in one product: [T, B, g H]."""
    bias = item.bias[0] if item.reset_after else item.bias
    flat = tf.reshape(tf.transpose(x, (1, 0, 2)), (-1, item.features)) @ item.kernel + bias
    return tf.reshape(flat, (-1 if x.shape[1] is None else x.shape[1], x.shape[0], item.kernel.shape[1]))


def _lstm_step(item: Recurrence) -> Any:
    act, gate = keras.activations.get(item.activation), keras.activations.get(item.recurrent_activation)

    def step(x_t: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
        h, c = states
        i, f, g, o = tf.split(x_t + h @ item.recurrent_kernel, 4, axis=1)
        c = gate(f) * c + gate(i) * act(g)
        return [gate(o) * act(c), c]

    return step


def _gru_step(item: Recurrence) -> Any:
    act, gate = keras.activations.get(item.activation), keras.activations.get(item.recurrent_activation)
    units = item.units

    def reset_after(x_t: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
        (h,) = states
        x_zr, x_n = tf.split(x_t, [2 * units, units], axis=1)
        h_zr, h_n = tf.split(h @ item.recurrent_kernel + item.bias[1], [2 * units, units], axis=1)
        z, r = tf.split(gate(x_zr + h_zr), 2, axis=1)
        n = act(x_n + r * h_n)
        return [n + z * (h - n)]

    def reset_before(x_t: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
        (h,) = states
        x_zr, x_n = tf.split(x_t, [2 * units, units], axis=1)
        z, r = tf.split(gate(x_zr + h @ item.recurrent_kernel[:, : 2 * units]), 2, axis=1)
        n = act(x_n + (r * h) @ item.recurrent_kernel[:, 2 * units :])
        return [n + z * (h - n)]

    return reset_after if item.reset_after else reset_before


def _simple_rnn_step(item: Recurrence) -> Any:
    act = keras.activations.get(item.activation)
    return lambda x_t, states: [act(x_t + states[0] @ item.recurrent_kernel)]


_STEPS = {"lstm": _lstm_step, "gru": _gru_step, "simple_rnn": _simple_rnn_step}


def _unrolled(advance: Any, projected: tf.Tensor, states: list[tf.Tensor], backwards: bool) -> Run:
    inputs = tf.unstack(projected)
    outputs = [states[0]] * len(inputs)
    for t in reversed(range(len(inputs))) if backwards else range(len(inputs)):
        states = advance(t, inputs[t], states)
        outputs[t] = states[0]
    return tf.stack(outputs, axis=1), states


def _rolled(advance: Any, projected: tf.Tensor, states: list[tf.Tensor], backwards: bool) -> Run:
    steps = tf.shape(projected)[0]
    array = tf.TensorArray(tf.float32, steps, element_shape=states[0].shape)

    def body(count: tf.Tensor, array: tf.TensorArray, *states: tf.Tensor) -> tuple[Any, ...]:
        t = steps - 1 - count if backwards else count
        new = advance(t, projected[t], list(states))
        return count + 1, array.write(t, new[0]), *new

    _, array, *states = tf.while_loop(lambda count, *_: count < steps, body, (0, array, *states))
    sequence = tf.ensure_shape(array.stack(), (projected.shape[0], *states[0].shape))
    return tf.transpose(sequence, (1, 0, 2)), states
