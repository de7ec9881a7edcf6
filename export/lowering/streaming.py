"""A unidirectional model as a function of one chunk and its states: `streaming_source(source)`.

A first trace, the discovery, walks through the model with time as the only free size. Every layer that needs the past
enters its states in a `Ledger`; every other layer must treat each step alone (`locality`), or the model is refused with
the layer, the rule and the remedy. Later traces, towards a target, read the states from their arguments and return the
new ones. All states are zero at the start.

    recurrent layers      h, c of every cell; a layer with `return_sequences=False` answers with what it knows so far
    causal convolution    buffer: the last (kernel - 1) * dilation steps; phase, where it has strides
    pooling               buffer: the last pool_size - 1 steps, and phase; neither where the length of a chunk is fixed

A phase counts the steps to the next window, so that strides are exact for chunks of any length.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from export.lowering import rules
from export.lowering.describe import describe, has_own_call
from export.lowering.ledger import Ledger
from export.lowering.locality import graph_operations, is_timed, joins, noise, placeholders, refusal, require_local
from export.lowering.plain import PlainTarget
from export.lowering.recurrence import Recurrence
from export.lowering.source import Source
from export.lowering.trace import Output, Replacements, Rule, Run, States, Target, Tracer, calling, flat_layers, lowered
from export.lowering.windows import CONVOLUTIONS, POOLINGS, convolution, pooling
from zoo.errors import InvalidInput, Unsupported
from zoo.spec import Signature, TensorSpec

_FORWARD = "Use a forward layer, or export without streaming"


@dataclass(frozen=True)
class StreamingSource(Source):
    """A flat function of (inputs, states) to (outputs, new states), traced like any source, by its own `rules`.

    `signature` lists the states among inputs and outputs, and again in `states`. One trace at a time.
    """

    whole: Source
    ledger: Ledger

    @property
    def rules(self) -> Sequence[tuple[type, Rule]]:
        return _rules(self.ledger)

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        count = len(self.whole.signature.inputs)
        with self.ledger.replayed(tensors[count:]) as states:
            outputs = self.whole(tensors[:count])
        return [*outputs, *states]


def streaming_source(source: Source, chunk: int | None = None) -> StreamingSource:
    """`source` with its states as inputs and outputs. `chunk` fixes the number of steps a call takes; None leaves it
    free.

    Raises InvalidInput for a chunk below 1; Unsupported for a model that needs the future, has no time axis or no
    state, or whose strides do not divide the chunk.
    """
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise InvalidInput(f"A chunk is a number of steps, at least 1, not {chunk!r}.")
    moving = _moving(source, chunk)
    inputs = tuple(moving.get(spec.name, spec) for spec in source.signature.inputs)
    ledger = Ledger(source.signature, chunk)
    outputs = _discover(source, moving, ledger)
    answers = [_answer(spec, value) for spec, value in zip(source.signature.outputs, outputs, strict=True)]
    if not ledger.states:
        raise Unsupported(
            f"Model {source.model.name!r} has no state to carry: it treats every step alone. "
            "Export without streaming and run it on each chunk."
        )
    streaming = StreamingSource(source.model, source.signature, source.structure, source, ledger)
    inputs += ledger.inputs
    if chunk is not None:
        outputs = _traced(streaming, source.model, streaming.rules, lambda: [_placeholder(spec) for spec in inputs])
    sized = zip(answers, outputs, strict=False)
    returned = tuple(replace(spec, shape=(*spec.shape[:1], *value.shape[1:])) for spec, value in sized)
    signature = Signature(inputs, (*returned, *ledger.outputs), tuple(ledger.states))
    streaming = replace(streaming, signature=signature)
    _require_chunks_to_join(streaming, moving)
    return streaming


class _Carrier(Tracer):
    """The tracer of one recurrent layer: its states come from the ledger and go back there."""

    def __init__(self, tracer: Tracer, ledger: Ledger, x: tf.Tensor) -> None:
        self.maybe_empty = ledger.may_be_empty(x)
        super().__init__(_AlsoEmpty(tracer.target) if self.maybe_empty else tracer.target)
        self.notes, self._ledger = tracer.notes, ledger
        self._start: list[tf.Tensor] = []
        self._place = 0

    def initial_states(self, layer: Any, given: Any, batch: Any) -> list[tf.Tensor]:
        if given is not None and (not has_own_call(layer) or any(map(placeholders, keras.tree.flatten(given)))):
            why = "it is given an initial state, which belongs to the first chunk alone"
            raise refusal(layer, why, "Drop initial_state, or export without streaming")
        self._place, self._start = self._ledger.read(layer, _state_shapes(layer))
        return self._start

    def note_stateful(self, layer: Any) -> None:
        """A file that streams carries the states on."""

    def finished(self, layer: Any, output: Output, mask: tf.Tensor | None) -> Output:
        """Masked steps at the front of a chunk repeat the last output of the chunk before."""
        sequence, last, states = output
        self._ledger.write(self._place, states)
        if mask is None or layer.zero_output_for_mask:
            return output
        items = describe(layer)
        if items is None:
            place, (previous,) = self._ledger.read(layer, {"output": tuple(last.shape[1:])})
        else:
            previous = self._start[-len(items[-1].state_names)]
        seen = tf.cumsum(tf.cast(mask, tf.int32), 1) > 0
        sequence = tf.where(_like(seen, sequence), sequence, previous[:, None])
        last = tf.where(_like(seen[:, -1], last), last, previous)
        if items is None:
            self._ledger.write(place, [last])
        return sequence, last, states


def _takes_no_step(layer: layers.RNN) -> bool:
    """Whether every target computes the layer with an operator, which `_AlsoEmpty` can hand a step more."""
    items = describe(layer)
    return items is not None and all(isinstance(item, Recurrence) and item.peepholes is None for item in items)


class _AlsoEmpty(Target):
    """A target for chunks that may have no step: runtimes fail on those, so one step beyond the lengths is added."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def take(self, values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return self._target.take(values, steps)

    def order(self, key: tf.Tensor) -> tf.Tensor:
        return self._target.order(key)

    def recurrence(self, item: Recurrence, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run:
        batch, steps = tf.shape(x)[0], tf.shape(x)[1]
        longer = tf.concat([x, tf.zeros([batch, 1, item.features])], 1)
        sequence, finals = self._target.recurrence(item, longer, states, tf.fill([batch], steps))
        return sequence[:, :steps], finals


def _answer(spec: TensorSpec, found: tf.Tensor) -> TensorSpec:
    """An output as the first trace found it: a second axis whose size does not move with time (the hours ahead of a
    forecast) is none of time, so that an answer replaces the one before it."""
    timed = "time" not in spec.axes[1:2] or is_timed(found)
    return spec if timed else replace(spec, axes=(spec.axes[0], "axis1", *spec.axes[2:]))


def _like(mask: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    for _ in range(len(value.shape) - len(mask.shape)):
        mask = mask[..., None]
    return mask


def _state_shapes(layer: layers.RNN) -> dict[str, tuple[int, ...]]:
    """{suffix: shape without batch} of a recurrent layer's states, in order."""
    with tf.init_scope():
        initial = [keras.ops.convert_to_numpy(value) for value in keras.tree.flatten(layer.get_initial_state(1))]
    if any(value.any() for value in initial):
        raise refusal(layer, "its cell does not start from zero")
    names = _state_names(layer)
    if len(names) != len(initial):
        names = [f"state{number}" for number in range(len(initial))]
    return {name: value.shape[1:] for name, value in zip(names, initial, strict=True)}


def _state_names(layer: layers.RNN) -> list[str]:
    if isinstance(layer, layers.ConvLSTM1D | layers.ConvLSTM2D | layers.ConvLSTM3D):
        return ["h", "c"]
    stacked = isinstance(layer.cell, layers.StackedRNNCells)
    names = []
    for number, cell in enumerate(layer.cell.cells if stacked else [layer.cell]):
        own = getattr(cell, "state_names", ("h", "c") if isinstance(cell, layers.LSTMCell) else ("h",))
        names += [f"cell{number}_{name}" if stacked else name for name in own]
    return names


def _recurrent(ledger: Ledger, tracer: Tracer, layer: layers.RNN) -> Replacements:
    alone = rules.recurrent(tracer, layer)
    method = "inner_loop" if has_own_call(layer) else "call"

    def run(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if not ledger.moves(sequences):
            return alone[method](sequences, initial_state, mask)
        if layer.go_backwards:
            raise refusal(layer, "go_backwards=True reads the sequence from its end", _FORWARD)
        carrier = _Carrier(tracer, ledger, sequences)
        if carrier.maybe_empty and (mask is not None or not _takes_no_step(layer)):
            why = (
                "strides before it leave some chunks without a step, for which neither a mask nor a cell of its own "
                "has an answer"
            )
            raise refusal(layer, why, "Use LSTM, GRU or SimpleRNN without a mask, or give a chunk length")
        return rules.recurrent(carrier, layer)[method](sequences, initial_state, mask)

    return {**alone, method: run}


def _bidirectional(ledger: Ledger, tracer: Tracer, layer: layers.Bidirectional) -> Replacements:
    alone = rules.bidirectional(tracer, layer).get("call", layer.call)

    def call(sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if ledger.moves(sequences):
            raise refusal(layer, "its backward side reads the sequence from its end", _FORWARD)
        return alone(sequences, initial_state=initial_state, mask=mask)

    return {"call": call}


def _time_distributed(ledger: Ledger, tracer: Tracer, layer: layers.TimeDistributed) -> Replacements:
    alone = rules.time_distributed(tracer, layer)
    if not alone:
        return _local(ledger, tracer, layer)

    def call(inputs: Any, training: bool = False, mask: Any = None) -> Any:
        with ledger.resting():
            return alone["call"](inputs, training, mask)

    return {"call": call}


# --------------------------------------------------------------------------------------------------------- rules


_KINDS: tuple[tuple[type, Callable[[Ledger, Tracer, Any], Replacements]], ...] = (
    (layers.RNN, _recurrent),
    (layers.Bidirectional, _bidirectional),
    (layers.TimeDistributed, _time_distributed),
    *((kind, convolution) for kind in CONVOLUTIONS),
    *((kind, pooling) for kind in POOLINGS),
)
_STREAMING = tuple(kind for kind, _ in _KINDS)


def _rules(ledger: Ledger) -> Sequence[tuple[type, Rule]]:
    kinds = (*_KINDS, (keras.Model, _any_length), (layers.Layer, _local))
    return [(kind, functools.partial(rule, ledger)) for kind, rule in kinds]


def _any_length(ledger: Ledger, tracer: Tracer, model: keras.Model) -> Replacements:
    """A model built for a fixed number of steps takes any: what depends on the number is refused by its layer."""
    return {"_assert_input_compatibility": lambda *_: None}


def _local(ledger: Ledger, tracer: Tracer, layer: Any) -> Replacements:
    """Discovery only: every other layer is tried on two chunks. One with streaming layers inside leaves it to these."""
    inner = layer._flatten_layers(include_self=False) if isinstance(layer, layers.Layer) else ()
    if not ledger.discovering or any(isinstance(part, _STREAMING) for part in inner):
        return {}
    whole = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        with ledger.resting() as is_first:
            if is_first:
                require_local(layer, whole, args, kwargs, ledger.streamed)
            return whole(*args, **kwargs)

    return {"call": call}


# ----------------------------------------------------------------------------------------------------- discovery


def _moving(source: Source, chunk: int | None) -> dict[str, TensorSpec]:
    """The inputs that are streams, with the length of a chunk: those of free length, or else all with a time axis."""
    timed = [spec for spec in source.signature.inputs if "time" in spec.axes[1:2]]
    free = [spec for spec in timed if spec.shape[1] is None] or [spec for spec in timed if spec.shape[1] != 1]
    if not free:
        shapes = "; ".join(spec.describe() for spec in source.signature.inputs)
        raise Unsupported(
            f"Model {source.model.name!r} has no time axis to stream over: it takes {shapes}. Export without streaming."
        )
    return {spec.name: replace(spec, shape=(spec.shape[0], chunk, *spec.shape[2:])) for spec in free}


def _discover(source: Source, moving: dict[str, TensorSpec], ledger: Ledger) -> list[tf.Tensor]:
    """The outputs of the first trace, which fills the ledger. Raises Unsupported."""

    def arguments() -> list[tf.Tensor]:
        return [
            ledger.placeholder(spec.dtype, (spec.shape[0], None, *spec.shape[2:]))
            if spec.name in moving
            else _placeholder(spec)
            for spec in source.signature.inputs
        ]

    tracer, operations = Tracer(PlainTarget()), graph_operations(flat_layers(source.model))
    with contextlib.ExitStack() as undo:
        for operation in operations:
            undo.enter_context(calling(operation, _local(ledger, tracer, operation)))
        outputs = _traced(source, source.model, _rules(ledger), arguments)
    ledger.discovering = False
    return outputs


def _require_chunks_to_join(source: StreamingSource, moving: dict[str, TensorSpec]) -> None:
    """What no layer gave away, such as arithmetic in the `call` of a subclassed model: two chunks against one pass."""
    first, rest = (source.ledger.chunk or 3), (source.ledger.chunk or 5)
    free = [replace(spec, shape=(spec.shape[0], None, *spec.shape[2:])) for spec in moving.values()]
    specs = [next((f for f in free if f.name == spec.name), spec) for spec in source.signature.inputs]
    with lowered(source.model, Tracer(PlainTarget()), source.rules):
        signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in specs]
        step = tf.function(lambda *values: source(values), input_signature=signature, autograph=False)
        step.get_concrete_function()
    random, count = np.random.default_rng(0), len(specs) - len(source.ledger.states)
    given = [noise(random, _sized(spec, first + rest), spec.dtype) for spec in specs[:count]]
    zeros = [np.zeros(_sized(spec, 0), spec.dtype) for spec in specs[count:]]

    def run(start: int, end: int, states: Sequence[Any]) -> list[np.ndarray]:
        cut = [x[:, start:end] if spec.name in moving else x for x, spec in zip(given, specs, strict=False)]
        return [value.numpy() for value in step(*map(tf.constant, (*cut, *states)))]

    outputs = len(source.whole.signature.outputs)
    whole, before = run(0, first + rest, zeros), run(0, first, zeros)
    after = run(first, first + rest, before[outputs:])
    for spec, *values in zip(source.whole.signature.outputs, whole, before, after, strict=False):
        if not joins(*values):
            raise Unsupported(
                f"Model {source.model.name!r} cannot stream: output {spec.name!r} of two chunks is not that of one "
                "pass. Its own code reads beyond the present step; take that out, or export without streaming."
            )


def _sized(spec: TensorSpec, steps: int) -> list[int]:
    free = {0: 2, 1: steps}
    return [free[axis] if size is None else size for axis, size in enumerate(spec.shape)]


def _placeholder(spec: TensorSpec) -> tf.Tensor:
    return tf.compat.v1.placeholder(spec.dtype, spec.shape)


def _traced(
    function: Callable[[Any], Any], model: keras.Model, rules: Sequence[tuple[type, Rule]], arguments: Callable[[], Any]
) -> list[tf.Tensor]:
    graph = tf.__internal__.FuncGraph("streaming")
    with graph.as_default(), lowered(model, Tracer(PlainTarget()), rules):
        try:
            return list(function(arguments()))
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise Unsupported(
                f"Model {model.name!r} does not take chunks of other lengths than it was built for: "
                f"{str(error).splitlines()[0]} Build it with a free time axis, or export without streaming."
            ) from error
