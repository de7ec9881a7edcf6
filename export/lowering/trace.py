"""Tracing a Keras model while its recurrent layers speak the target's language.

`lowered(model, tracer)` opens a scope in which every layer that has a rule (`rules.py`, `streaming.py`) runs that rule
in place of its own `call`. Nothing is cloned and nothing is rebuilt: nested, shared and subclassed models trace as they
are, and the model is as it was when the scope closes. All arithmetic in the scope is float32, whatever the policy.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from export.lowering.recurrence import Recurrence

States = Sequence[tf.Tensor] | None
Run = tuple[tf.Tensor, list[tf.Tensor]]
Output = tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]  # sequence in the order of time, last output, final states
Step = Callable[[Any, tf.Tensor, list[tf.Tensor]], tuple[tf.Tensor, list[tf.Tensor]]]
Replacements = dict[str, Any]  # methods by name, and settings
_SCOPE = threading.Lock()  # the scope borrows the model's layers, so one at a time


class Target(ABC):
    """How one file format expresses a recurrence. Axes: B batch, T time, D features, H units.

    Every run takes x [B, T, D], its states [B, H] each or None for zeros, and the number of valid steps of each row,
    `lengths` int32 [B], or None for all; it returns (sequence [B, T, H] in the order of time, final states).
    A row holds its valid steps first. A backwards recurrence goes from the last valid step to step 0.
    What the sequence holds beyond `lengths` is up to the target.
    """

    def expresses(self, item: Recurrence) -> bool:
        """Whether `recurrence` computes this one exactly; if not, the layer runs as steps of its own cell."""
        return item.peepholes is None

    @abstractmethod
    def recurrence(self, item: Recurrence, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run: ...

    def pair(
        self, items: tuple[Recurrence, Recurrence], x: tf.Tensor, states: States, lengths: tf.Tensor | None
    ) -> tuple[Run, Run]:
        """Both directions over the same x; a target with a two-direction operator overrides this."""
        half = len(items[0].state_names)
        first = self.recurrence(items[0], x, None if states is None else states[:half], lengths)
        return first, self.recurrence(items[1], x, None if states is None else states[half:], lengths)

    @abstractmethod
    def take(self, values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """values [B, T, …], steps int32 [B, T'] -> values at those steps [B, T', …]."""

    @abstractmethod
    def order(self, key: tf.Tensor) -> tf.Tensor:
        """int32 key [B, T] -> int32 [B, T], the steps in ascending order of their distinct keys."""

    def unrolls(self, steps: int | None) -> bool:
        """Whether a loop of `steps` steps (None if dynamic) is written out instead."""
        return False

    def roll(self, step: Step, steps: tf.Tensor | int, output: tf.Tensor, states: list[tf.Tensor]) -> Run:
        """A loop: step(t, the output before, states) -> (output, states) for t = 0 … steps - 1, from `output` and
        `states`; the outputs [T, B, …] in that order, and the final states."""
        array = tf.TensorArray(tf.float32, steps, element_shape=output.shape)

        def body(t: tf.Tensor, output: tf.Tensor, array: tf.TensorArray, *states: tf.Tensor) -> tuple[Any, ...]:
            output, new = step(t, output, list(states))
            return t + 1, output, array.write(t, output), *new

        _, _, array, *states = tf.while_loop(lambda t, *_: t < steps, body, (0, output, array, *states))
        return array.stack(), states


class Tracer:
    """One trace: the target it speaks to and what it has to say about the model (`notes`, shown to the user)."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.notes: list[str] = []
        self.compactions: dict[Any, Any] = {}  # `masking.compaction` of each mask

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def initial_states(self, layer: keras.layers.Layer, given: Any, batch: Any) -> list[tf.Tensor] | None:
        """The flat initial states of a recurrent layer; None for zeros. A stateful layer starts from zeros."""
        if given is not None:
            return [tf.cast(state, tf.float32) for state in keras.tree.flatten(given)]
        if getattr(layer, "stateful", False):
            self.note_stateful(layer)
        return _own_start(layer, batch)

    def note_stateful(self, layer: keras.layers.Layer) -> None:
        self.note(
            f"Layer {layer.name!r} is stateful: the file starts every call from zero states. "
            "Export with streaming=True to carry them from call to call."
        )

    def finished(self, layer: keras.layers.Layer, output: Output, mask: tf.Tensor | None) -> Output:
        """Shown what every recurrent layer computed; a streaming trace takes the states and continues masked steps."""
        return output


def _own_start(layer: keras.layers.Layer, batch: Any) -> list[tf.Tensor] | None:
    """What a layer, or a cell, of the user's own starts from; None for zeros."""
    sides = [layer.forward_layer, layer.backward_layer] if isinstance(layer, keras.layers.Bidirectional) else [layer]
    with tf.init_scope():
        values = keras.tree.flatten([side.get_initial_state(batch_size=1) for side in sides])
        if not any(keras.ops.convert_to_numpy(value).any() for value in values):
            return None
    states = keras.tree.flatten([side.get_initial_state(batch_size=batch) for side in sides])
    return [tf.cast(state, tf.float32) for state in states]


def sizes(x: tf.Tensor) -> list[Any]:
    """The shape of x, each size an int where it is static."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


def flat_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer inside the model, the model itself and wrapped layers and cells included, each once."""
    return list(dict.fromkeys(model._flatten_layers(include_self=True, recursive=True)))


Rule = Callable[[Tracer, Any], Replacements]


@contextlib.contextmanager
def lowered(model: keras.Model, tracer: Tracer, rules: Sequence[tuple[type, Rule]]) -> Iterator[None]:
    """The scope in which `model` traces in float32, each layer by the first of `rules` that fits its type."""
    with _SCOPE, _plain_errors(), contextlib.ExitStack() as undo:
        for layer in flat_layers(model):
            undo.enter_context(_float32(layer))
            rule = next((rule for kind, rule in rules if isinstance(layer, kind)), None)
            if rule is not None:
                undo.enter_context(calling(layer, rule(tracer, layer)))
        undo.enter_context(_plain_operators())
        yield


@contextlib.contextmanager
def calling(layer: keras.layers.Layer, replacements: Replacements) -> Iterator[None]:
    """The named methods of this one layer (`call` or `inner_loop`) replaced for this thread; another one that runs the
    model meanwhile runs its own. What is no method is replaced for all."""
    before = {name: layer.__dict__[name] for name in replacements if name in layer.__dict__}
    own = {name: getattr(layer, name) for name in replacements}
    layer.__dict__.update({name: _here(new, own[name]) if callable(new) else new for name, new in replacements.items()})
    try:
        yield
    finally:
        for name in replacements:
            del layer.__dict__[name]
        layer.__dict__.update(before)


def _here(new: Callable[..., Any], own: Callable[..., Any]) -> Callable[..., Any]:
    thread = threading.get_ident()
    return lambda *args, **kwargs: (new if threading.get_ident() == thread else own)(*args, **kwargs)


@contextlib.contextmanager
def _plain_operators() -> Iterator[None]:
    """Operators that Keras writes in a way that files do not hold, for this thread alone.

    add             Keras takes a second summand of which one axis is longer than 1 for a bias, even if that axis is
                    time, as in [1, T, 1]: it is then added along the wrong axis (T = D), or by a `BiasAdd` of a kind
                    that TFLite lacks (D = 1)
    argmax, argmin  Keras reads the bits of floats, lest -0 count less than 0
    """
    from keras.src.backend.tensorflow import numpy as backend

    before = {name: getattr(backend, name) for name in ("add", "argmax", "argmin")}
    keras_add = before["add"]

    def add(x1: Any, x2: Any) -> Any:
        tensors = isinstance(x1, tf.Tensor) and isinstance(x2, tf.Tensor) and x1.dtype == x2.dtype
        return tf.add(x1, x2) if tensors and x2.shape.rank and x2.shape[-1] == 1 else keras_add(x1, x2)

    def first(name: str, place: Any) -> Any:
        def run(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
            if not (isinstance(x, tf.Tensor) and x.dtype.is_floating):
                return before[name](x, axis=axis, keepdims=keepdims)
            flat = tf.reshape(x, [-1]) if axis is None else x
            found = place(flat, axis=0 if axis is None else axis, output_type=tf.int32)
            if not keepdims:
                return found
            return tf.reshape(found, [1] * x.shape.rank) if axis is None else tf.expand_dims(found, axis)

        return run

    replaced = {"add": add, "argmax": first("argmax", tf.argmax), "argmin": first("argmin", tf.argmin)}
    for name, function in replaced.items():
        setattr(backend, name, _here(function, before[name]))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(backend, name, function)


@contextlib.contextmanager
def _float32(layer: keras.layers.Layer) -> Iterator[None]:
    policy = layer.dtype_policy
    if getattr(policy, "quantization_mode", None) or policy.compute_dtype == policy.variable_dtype == "float32":
        yield
        return
    wide = keras.DTypePolicy("float32")
    wide._variable_dtype = policy.variable_dtype  # where it differs from what is computed in, Keras casts the weights
    layer.dtype_policy = wide
    try:
        yield
    finally:
        layer.dtype_policy = policy


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Keras rewrites the text of errors raised inside layers unless told not to."""
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()
