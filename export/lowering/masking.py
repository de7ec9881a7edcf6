"""Masks without loops: any pattern of masked steps, exact, around an operator that only knows lengths.

A masked step copies the state, so the valid steps alone decide every state: move them to the front of their row,
run the operator over them, and hand each step of the original row the output of the valid step it would have copied.
Holes, left padding and rows without any valid step all come out as Keras has them.
"""

from dataclasses import dataclass

import tensorflow as tf

from export.lowering.trace import Target


@dataclass(frozen=True)
class Compaction:
    """The bookkeeping of one mask: `mask` bool [B, T]; `lengths` int32 [B]; `position` int32 [B, T], the place of
    each step among the valid steps of its row (for a masked step: of the last valid step before it, -1 if none)."""

    target: Target
    mask: tf.Tensor
    lengths: tf.Tensor
    position: tf.Tensor

    def compact(self, x: tf.Tensor) -> tf.Tensor:
        """x [B, T, …] with the valid steps of each row first, in order, the masked ones behind them."""
        steps = tf.expand_dims(tf.range(tf.shape(self.mask)[1]), 0)
        key = tf.where(self.mask, steps, steps + tf.shape(self.mask)[1])
        return self.target.take(x, self.target.order(key))

    def expand(self, sequence: tf.Tensor, backwards: bool, zero_masked: bool) -> tf.Tensor:
        """The compact sequence [B, T, H] at the original steps: a masked step repeats the output computed before it
        (in the direction of travel; zeros if there is none), or is zero where the layer wants that."""
        step = tf.where(self.mask, self.position, self.position + 1) if backwards else self.position
        lengths = tf.expand_dims(self.lengths, 1)
        known = (step >= 0) & (step < lengths)
        if zero_masked:
            known &= self.mask
        values = self.target.take(sequence, tf.clip_by_value(step, 0, tf.maximum(lengths - 1, 0)))
        return tf.where(tf.expand_dims(known, 2), values, 0.0)


def compaction(target: Target, mask: tf.Tensor) -> Compaction:
    mask = tf.cast(mask, tf.bool)
    counted = tf.cast(mask, tf.int32)
    return Compaction(target, mask, tf.reduce_sum(counted, 1), tf.cumsum(counted, 1) - 1)
