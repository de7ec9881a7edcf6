"""What each kind of layer does inside the scope of `trace.lowered`: Keras' semantics, the target's operators."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from export.lowering.describe import describe, has_own_call
from export.lowering.loop import run_loop
from export.lowering.masking import Compaction, compaction
from export.lowering.recurrence import Recurrence, Steps
from export.lowering.steps import run_steps
from export.lowering.trace import Output, Replacements, Rule, Run, States, Tracer, sizes
from zoo import layers as zoo_layers

_BIDIRECTIONAL_CALLS = (layers.Bidirectional.call, zoo_layers.Bidirectional.call)


def recurrent(tracer: Tracer, layer: layers.RNN) -> Replacements:
    """`LSTM`, `GRU`, `SimpleRNN`, `RNN(cell)`, `ConvLSTM`: any subclass of `keras.layers.RNN`."""

    stateful = layer.stateful

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        last, sequence, states = inner_loop(sequences, initial_state, mask)
        output = sequence if layer.return_sequences else last
        return (output, *states) if layer.return_state else output

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if stateful:
            tracer.note_stateful(layer)
        x = tf.cast(sequences, tf.float32)
        mask = None if mask is None else tf.cast(keras.tree.flatten(mask)[0], tf.bool)
        start = tracer.initial_states(layer, initial_state, tf.shape(x)[0])
        sequence, last, states = tracer.finished(layer, _run(tracer, layer, x, start, mask), mask)
        if layer.go_backwards:
            sequence = tf.reverse(sequence, [1])
        return last, sequence, _packed(layer, states)

    if not has_own_call(layer):
        return {"call": call}
    # Keras draws the masks of dropout, which inference does not need, from a generator that a trace cannot move on
    return {"inner_loop": inner_loop, "stateful": False, "_maybe_config_dropout_masks": lambda *args: None}


def bidirectional(tracer: Tracer, layer: layers.Bidirectional) -> Replacements:
    """Every merge mode, `None` included. The two sides share one operator where the target has one for the pair."""

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        x = tf.cast(sequences, tf.float32)
        mask = None if mask is None else tf.cast(mask, tf.bool)
        sides = (layer.forward_layer, layer.backward_layer)
        start = tracer.initial_states(layer, initial_state, tf.shape(x)[0])
        first, second = _run_sides(tracer, sides, x, start, mask)
        if layer.return_sequences and layer.merge_mode and mask is not None:
            merge = functools.partial(_merge, layer.merge_mode)
            output = compaction(tracer, mask).merged(merge, first[0], second[0])
        else:
            output = _merge(layer.merge_mode, *(run[0 if layer.return_sequences else 1] for run in (first, second)))
        if layer.return_sequences and sides[0].go_backwards:  # Keras flips the second side, whatever its direction
            output = keras.tree.map_structure(lambda sequence: tf.reverse(sequence, [1]), output)
        if not layer.return_state:
            return output
        states = (*_packed(sides[0], first[2]), *_packed(sides[1], second[2]))
        return (*output, *states) if layer.merge_mode is None else (output, *states)

    sides = (layer.forward_layer, layer.backward_layer)
    standard = all(isinstance(side, layers.RNN) and not has_own_call(side) for side in sides)
    return {"call": call} if standard and type(layer).call in _BIDIRECTIONAL_CALLS else {}


def time_distributed(tracer: Tracer, layer: layers.TimeDistributed) -> Replacements:
    """Batch and time become one axis: the inner layer treats every example, so every step, alone."""

    def call(inputs: Any, training: bool = False, mask: Any = None) -> Any:
        x = tf.convert_to_tensor(inputs)
        kwargs: dict[str, Any] = {"training": False} if layer.layer._call_has_training_arg else {}
        if mask is not None and layer.layer._call_has_mask_arg:
            kwargs["mask"] = _merge_batch_and_time(mask)
        output = layer.layer(_merge_batch_and_time(x), **kwargs)
        return tf.reshape(output, [*sizes(x)[:2], *sizes(output)[1:]])

    return {"call": call} if type(layer).call is layers.TimeDistributed.call else {}


RULES: Sequence[tuple[type, Rule]] = (
    (layers.RNN, recurrent),
    (layers.Bidirectional, bidirectional),
    (layers.TimeDistributed, time_distributed),
)


def _run(tracer: Tracer, layer: layers.RNN, x: tf.Tensor, states: States, mask: tf.Tensor | None) -> Output:
    """A whole layer, with masked steps filled as Keras fills them."""
    items = _described(tracer, layer)
    if items is None:
        tracer.note(
            f"Layer {layer.name!r} runs cell {type(layer.cell).__name__} as a loop: no native operator computes it. "
            "Use LSTM, GRU or SimpleRNN cells with activations the operators know for native speed."
        )
        sequence, finals = run_loop(tracer, layer, x, states, mask)
        return sequence, _last_step(layer, sequence), finals
    if mask is None:
        sequence, finals = _run_stack(tracer, items, x, states, None)
        return sequence, _last_hidden(items, finals), finals
    valid = compaction(tracer, mask)
    run = _run_stack(tracer, items, valid.compact(x), states, valid.lengths)
    return _expanded(layer, items, valid, run, states)


def _described(tracer: Tracer, layer: layers.RNN) -> tuple[Recurrence | Steps, ...] | None:
    """The recurrences of a layer, None if the target neither has an operator for one of them nor knows its steps."""
    found: list[Recurrence | Steps] = []
    for item in describe(layer) or ():
        native = isinstance(item, Steps) or tracer.target.expresses(item)
        known = item if native or isinstance(item, Steps) else item.otherwise
        if known is None:
            return None
        found.append(known)
    return tuple(found) or None


def _run_stack(
    tracer: Tracer, items: Sequence[Recurrence | Steps], x: tf.Tensor, states: States, lengths: tf.Tensor | None
) -> Run:
    finals: list[tf.Tensor] = []
    for item in items:
        start, end = len(finals), len(finals) + len(item.state_names)
        given = None if states is None else states[start:end]
        if isinstance(item, Steps):
            x, new = run_steps(tracer.target, item, x, given, lengths)
        else:
            x, new = tracer.target.recurrence(item, x, given, lengths)
        finals += new
    return x, finals


def _run_sides(tracer: Tracer, sides: Sequence[Any], x: tf.Tensor, states: States, mask: Any) -> list[Output]:
    """Keras reverses the output of the second side, which undoes its direction: both sides are in the order of time."""
    described = [_described(tracer, side) for side in sides]
    halves = (None, None) if states is None else (states[: len(states) // 2], states[len(states) // 2 :])
    single = [items[0] for items in described if items is not None and len(items) == 1]
    pair = [item for item in single if isinstance(item, Recurrence)]
    if len(pair) != 2:
        return [_run(tracer, side, x, start, mask) for side, start in zip(sides, halves, strict=True)]
    if mask is None:
        runs = tracer.target.pair((pair[0], pair[1]), x, states, None)
        return [(sequence, finals[0], finals) for sequence, finals in runs]
    valid = compaction(tracer, mask)
    runs = tracer.target.pair((pair[0], pair[1]), valid.compact(x), states, valid.lengths)
    return [
        _expanded(side, [item], valid, run, start)
        for side, item, run, start in zip(sides, pair, runs, halves, strict=True)
    ]


def _expanded(
    layer: layers.RNN, items: Sequence[Recurrence | Steps], valid: Compaction, run: Run, states: States
) -> Output:
    """A compact run back at the original steps. The last hidden state is the last output as Keras has it, unless
    masked outputs are zero or a row without a valid step started from a state of its own."""
    sequence, finals = run
    sequence = valid.expand(sequence, layer.go_backwards, layer.zero_output_for_mask)
    plain = states is None and not layer.zero_output_for_mask
    return sequence, _last_hidden(items, finals) if plain else _last_step(layer, sequence), finals


def _last_hidden(items: Sequence[Recurrence | Steps], finals: list[tf.Tensor]) -> tf.Tensor:
    return finals[-len(items[-1].state_names)]


def _last_step(layer: layers.RNN, sequence: tf.Tensor) -> tf.Tensor:
    return sequence[:, 0] if layer.go_backwards else sequence[:, -1]


def _merge(mode: str | None, first: tf.Tensor, second: tf.Tensor) -> Any:
    if mode == "concat":
        return tf.concat([first, second], -1)
    if mode == "sum":
        return first + second
    if mode == "ave":
        return (first + second) / 2
    return first * second if mode == "mul" else (first, second)


def _packed(layer: layers.RNN, states: list[tf.Tensor]) -> list[Any]:
    return list(keras.tree.pack_sequence_as(layer.get_initial_state(batch_size=1), states))


def _merge_batch_and_time(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1 if None in x.shape[:2] else x.shape[0] * x.shape[1], *sizes(x)[2:]])
