"""Cells of `zoo.cells` that no operator knows, in operators every target has.

What does not depend on the state is computed for all steps in one product; the rest is a loop of the cell's second
half. A linear cell (minGRU, minLSTM) needs no loop over time: log2(T) rounds over the whole sequence, each of which
doubles the number of steps gathered. That is not the closed form by cumulative sums of logarithms, which divides by a
product of gates and loses all digits once that underflows, nor a GRU operator with a recurrent matrix of zeros, whose
T products cost more than the rounds.
"""

from typing import Any

import tensorflow as tf

from export.lowering.recurrence import Steps
from export.lowering.trace import Run, States, Target, sizes
from zoo.cells.linear import LinearCell


def run_steps(target: Target, item: Steps, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run:
    """As `Target.recurrence`."""
    if states is None:
        states = item.cell.get_initial_state(batch_size=sizes(x)[0])
    x = _reversed(x, lengths) if item.backwards else x
    states = [tf.ensure_shape(tf.cast(state, tf.float32), [x.shape[0], state.shape[1]]) for state in states]
    run = _scan if isinstance(item.cell, LinearCell) else _loop
    sequence, finals = run(target, item.cell, x, states, lengths)
    return _reversed(sequence, lengths) if item.backwards else sequence, finals


def _reversed(x: tf.Tensor, lengths: tf.Tensor | None) -> tf.Tensor:
    return tf.reverse(x, [1]) if lengths is None else tf.reverse_sequence(x, lengths, seq_axis=1)


def _project(cell: Any, x: tf.Tensor) -> tf.Tensor:
    """The first half of every step: [T, B, …]."""
    batch, steps, features = sizes(x)
    flat = cell.project(tf.reshape(tf.transpose(x, (1, 0, 2)), (-1, features)))
    return tf.reshape(flat, (steps, batch, flat.shape[-1]))


def _loop(target: Target, cell: Any, x: tf.Tensor, states: list[tf.Tensor], lengths: tf.Tensor | None) -> Run:
    projected, column = _project(cell, x), None if lengths is None else lengths[:, None]

    def step(t: Any, before: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        _, new = cell.step(projected[t], states)
        if column is not None:
            new = [tf.where(t < column, *both) for both in zip(new, states, strict=True)]
        return new[0], new

    steps = sizes(x)[1]
    if target.unrolls(x.shape[1]):
        outputs = []
        for t in range(steps):
            _, states = step(t, states[0], states)
            outputs.append(states[0])
        return tf.stack(outputs, axis=1), states
    sequence, states = target.roll(step, steps, states[0], states)
    return tf.ensure_shape(tf.transpose(sequence, (1, 0, 2)), [*x.shape[:2], states[0].shape[1]]), states


def _scan(target: Target, cell: LinearCell, x: tf.Tensor, states: list[tf.Tensor], lengths: tf.Tensor | None) -> Run:
    """Rounds over keep and write [T, B, H]; those of a known number of steps are written out."""
    keep, write = cell.coefficients(_project(cell, x))
    steps, count = tf.range(tf.shape(keep)[0]), x.shape[1]
    if lengths is not None:
        valid = (steps[:, None] < lengths)[:, :, None]
        keep, write = tf.where(valid, keep, 1.0), tf.where(valid, write, 0.0)

    def gathered(distance: Any, keep: tf.Tensor, write: tf.Tensor) -> tuple[Any, ...]:
        there = (steps >= distance)[:, None, None]
        earlier = tf.maximum(steps - distance, 0)
        earlier_keep = tf.where(there, tf.gather(keep, earlier), 1.0)
        earlier_write = tf.where(there, tf.gather(write, earlier), 0.0)
        return 2 * distance, keep * earlier_keep, keep * earlier_write + write

    if count is None:
        rounds = tf.while_loop(lambda distance, *_: distance < tf.shape(x)[1], gathered, (1, keep, write))
    else:
        rounds = (1, keep, write)
        while rounds[0] < count:
            rounds = gathered(*rounds)
    sequence = rounds[1] * states[0] + rounds[2]
    return tf.transpose(sequence, (1, 0, 2)), [sequence[-1]]
