"""Masks without loops: any pattern of masked steps, exact, around an operator that only knows lengths.

A masked step copies the state, so the valid steps alone decide every state: move them to the front of their row,
run the operator over them, and hand each step of the original row the output of the valid step it would have copied.
Holes, left padding and rows without any valid step all come out as Keras has them. Between neighbours under one mask
the valid steps stay where they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from export.lowering.trace import Target, Tracer


@dataclass(frozen=True)
class Compaction:
    """The bookkeeping of one mask: `mask` bool [B, T]; `lengths` int32 [B]; `position` int32 [B, T], the place of
    each step among the valid steps of its row (for a masked step: of the last valid step before it, -1 if none).
    `known` tells how to make the compact form of sequences that came from one."""

    target: Target
    mask: tf.Tensor
    lengths: tf.Tensor
    position: tf.Tensor
    known: dict[Any, Callable[[], tf.Tensor]] = field(default_factory=dict)

    def compact(self, x: tf.Tensor) -> tf.Tensor:
        """x [B, T, …] with the valid steps of each row first, in order; what is behind them does not matter."""
        if x.ref() in self.known:
            return self.known[x.ref()]()
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
        expanded = tf.where(tf.expand_dims(known, 2), values, 0.0)
        self.known[expanded.ref()] = lambda: sequence
        return expanded

    def merged(self, merge: Callable[..., tf.Tensor], *parts: tf.Tensor) -> tf.Tensor:
        """merge(*parts), which treats every step alone."""
        whole = merge(*parts)
        if all(part.ref() in self.known for part in parts):
            self.known[whole.ref()] = lambda: merge(*(self.known[part.ref()]() for part in parts))
        return whole


def compaction(tracer: Tracer, mask: tf.Tensor) -> Compaction:
    """One for each mask of a trace, and for each graph of it, as tensors do not leave the body of a loop."""
    key = mask.ref(), id(tf.compat.v1.get_default_graph())
    if key not in tracer.compactions:
        counted = tf.cast(mask, tf.int32)
        lengths, position = tf.reduce_sum(counted, 1), tf.cumsum(counted, 1) - 1
        tracer.compactions[key] = Compaction(tracer.target, mask, lengths, position)
    return tracer.compactions[key]
