"""Recurrences as markers: functions of one input and one output that the TFLite converter keeps as custom operators.

`export.tflite_loops` puts integers in their place; until then they compute in float, so that what stands behind them
can be calibrated.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from export.lowering.recurrence import Recurrence

PREFIX = "zoo_recurrence_"


@dataclass(frozen=True)
class Marked:
    """Custom operator `name` stands for recurrence `item`, forwards from zero: x [B, T, D] -> sequence [B, T, H]."""

    name: str
    item: Recurrence
    x: tf.Tensor
    sequence: tf.Tensor


def mark(number: int, item: Recurrence, x: tf.Tensor, run: Callable[[Recurrence, tf.Tensor], tf.Tensor]) -> Marked:
    """`run` computes the sequence in float. The converter knows the operator by the attribute."""
    name, forward = f"{PREFIX}{number}", dataclasses.replace(item, backwards=False)
    attribute = f'name: "{name}" attr {{ key: "tfl_fusable_op" value {{ b: true }} }}'
    function = tf.function(lambda x: run(forward, x), experimental_implements=attribute, autograph=False)
    sequence = function(x)
    sequence.set_shape((*x.shape[:2], item.units))
    return Marked(name, forward, x, sequence)
