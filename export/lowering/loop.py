"""The fallback every target shares: a plain loop over a layer's own cell, for cells no native operator knows."""

from typing import Any

import keras
import tensorflow as tf

from export.lowering.trace import Run, States, Step, Tracer


def run_loop(tracer: Tracer, layer: keras.layers.RNN, x: tf.Tensor, states: States, mask: tf.Tensor | None) -> Run:
    """x [B, T, …] -> (outputs [B, T, …] in the order of time, final states); masks of any pattern, exact.

    Outputs are written in the order of the iterations, which is all an ONNX `Loop` can do; hence a backwards layer
    reads a reversed sequence.
    """
    batch, steps = tf.shape(x)[0], tf.shape(x)[1]
    structure = keras.tree.map_structure(lambda _: None, layer.get_initial_state(batch_size=1))
    if states is None:
        states = keras.tree.flatten(layer.get_initial_state(batch_size=batch))
    states = [tf.cast(state, tf.float32) for state in states]
    by_time, mask_by_time = _by_time(x, layer.go_backwards), None
    if mask is not None:
        mask_by_time = _by_time(tf.cast(mask, tf.bool), layer.go_backwards)

    def step(t: Any, previous: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        x_t = tf.gather(by_time, t)
        output, new = layer.cell(x_t, keras.tree.pack_sequence_as(structure, states), training=False)
        new = keras.tree.flatten(new)
        if mask_by_time is None:
            return output, new
        valid = tf.gather(mask_by_time, t)
        return _keep(valid, output, previous), [_keep(valid, *both) for both in zip(new, states, strict=True)]

    output_shape = layer.cell(by_time[0], keras.tree.pack_sequence_as(structure, states), training=False)[0].shape
    previous = tf.zeros([batch, *output_shape[1:]])
    static = x.shape[1]
    if static is not None and (layer.unroll or tracer.target.unrolls(static)):
        outputs, states = _unrolled(step, static, previous, states)
    else:
        outputs, states = tracer.target.roll(step, steps if static is None else static, previous, states)
    if mask_by_time is not None and layer.zero_output_for_mask:
        outputs = tf.where(_column(mask_by_time, outputs), outputs, 0.0)
    outputs = _by_time(outputs, False)
    outputs = tf.reverse(outputs, [1]) if layer.go_backwards else outputs
    return tf.ensure_shape(outputs, [x.shape[0], static, *output_shape[1:]]), states


def _by_time(x: tf.Tensor, backwards: bool) -> tf.Tensor:
    """The first two axes swapped, the new first one in the order of travel."""
    swapped = tf.transpose(x, (1, 0, *range(2, len(x.shape))))
    return tf.reverse(swapped, [0]) if backwards else swapped


def _unrolled(step: Step, steps: int, output: tf.Tensor, states: list[tf.Tensor]) -> Run:
    outputs = []
    for t in range(steps):
        output, states = step(t, output, states)
        outputs.append(output)
    return tf.stack(outputs), states


def _keep(valid: tf.Tensor, value: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    return tf.where(_column(valid, value), value, old)


def _column(mask: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """mask [B] or [T, B] with trailing axes of size 1 up to the rank of `like`."""
    for axis in range(len(mask.shape), len(like.shape)):
        mask = tf.expand_dims(mask, axis)
    return mask
