"""Recurrences as ONNX `LSTM`, `GRU` and `RNN` nodes (operator set 14 and later), masks as `sequence_lens`.

While the model is traced, each recurrence leaves one marker op behind; while tf2onnx converts the trace, the handler of
`OnnxTarget.handlers` replaces every marker by its node. ONNX is time-major: x [T, B, D], y [T, directions, B, H].

Gates: ONNX orders those of an LSTM input, output, forget, candidate; those of a GRU as Keras does.
Source: https://onnx.ai/onnx/operators/onnx__LSTM.html and its siblings for GRU and RNN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf
from keras import layers
from onnx import TensorProto

from export.lowering.recurrence import Recurrence
from export.lowering.trace import Replacements, Rule, Run, States, Target, Tracer

MARKER = "PyFuncStateless"  # the TensorFlow op behind `tf.numpy_function(..., stateful=False)`
UNROLLED_STEPS = 20
Handler = Callable[[Any, Any, str, Any], None]

_OPERATORS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}
_GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}


@dataclass(frozen=True)
class _Activation:
    """An ONNX activation that equals Keras', with the constants it takes there (None: it takes none)."""

    name: str
    alpha: float | None = None
    beta: float | None = None


_ACTIVATIONS = {  # not Softplus: ONNX Runtime's overflows, to NaN in an LSTM
    "tanh": _Activation("Tanh"),
    "sigmoid": _Activation("Sigmoid"),
    "relu": _Activation("Relu"),
    "linear": _Activation("Affine", 1.0, 0.0),
    "hard_sigmoid": _Activation("HardSigmoid", 1 / 6, 0.5),
    "softsign": _Activation("Softsign"),
    "elu": _Activation("Elu", 1.0),
    "leaky_relu": _Activation("LeakyRelu", 0.2),
}


@dataclass(frozen=True)
class _Marker:
    """What one marker op stands for: one recurrence, or two that share a node; which optional inputs it was given."""

    items: tuple[Recurrence, ...]
    has_lengths: bool
    has_states: bool


class OnnxTarget(Target):
    """One trace towards ONNX. `handlers` belongs to the conversion of that trace."""

    def __init__(self) -> None:
        self._markers: list[_Marker | None] = []  # None marks an `order`

    def expresses(self, item: Recurrence) -> bool:
        return {item.activation, item.recurrent_activation} <= _ACTIVATIONS.keys()

    def recurrence(self, item: Recurrence, x: tf.Tensor, states: States, lengths: tf.Tensor | None) -> Run:
        return self._emit((item,), x, states, lengths)[0]

    def pair(
        self, items: tuple[Recurrence, Recurrence], x: tf.Tensor, states: States, lengths: tf.Tensor | None
    ) -> tuple[Run, Run]:
        """One node where both sides are of one kind and size, the first forward and the second backward."""
        alike = [(item.kind, item.units, item.reset_after, item.coupled, item.peepholes is None) for item in items]
        if alike[0] != alike[1] or items[0].backwards or not items[1].backwards:
            return super().pair(items, x, states, lengths)
        first, second = self._emit(items, x, states, lengths)
        return first, second

    def take(self, values: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, steps, axis=1, batch_dims=1)

    def order(self, key: tf.Tensor) -> tf.Tensor:
        (steps,) = tf.numpy_function(_never_run, [self._number(None), key], [tf.int32], stateful=False)
        return tf.ensure_shape(steps, key.shape)

    def unrolls(self, steps: int | None) -> bool:
        """Up to 20 steps of a cell of its own: no runtime optimises across the iterations of a `Loop`."""
        return steps is not None and steps <= UNROLLED_STEPS

    def handlers(self) -> dict[str, tuple[Handler, list[Any]]]:
        """For tf2onnx's `custom_op_handlers`: the markers, and operators that tf2onnx lacks or writes badly."""
        own = {MARKER: self._replace_marker, "SelectV2": _where, "ReverseV2": _reverse, "Erfc": _erfc, "Expm1": _expm1}
        return {name: (handler, []) for name, handler in own.items()}

    def _emit(
        self, items: tuple[Recurrence, ...], x: tf.Tensor, states: States, lengths: tf.Tensor | None
    ) -> list[Run]:
        """The marker op: inputs (its number, x, lengths?, states?), outputs (sequence, states) of each item."""
        number = self._number(_Marker(items, lengths is not None, states is not None))
        inputs = [number, x, *([] if lengths is None else [lengths]), *(states or ())]
        counts = [1 + len(item.state_names) for item in items]
        outputs = iter(tf.numpy_function(_never_run, inputs, [tf.float32] * sum(counts), stateful=False))
        given = iter(states or ())
        return [self._shaped(item, x, outputs, given if states else None, lengths) for item in items]

    def _number(self, marker: _Marker | None) -> tf.Tensor:
        """What a marker op carries as its first input for the handler to find its meaning."""
        self._markers.append(marker)
        return tf.constant(len(self._markers) - 1)

    def _shaped(self, item: Recurrence, x: tf.Tensor, outputs: Any, given: Any, lengths: tf.Tensor | None) -> Run:
        """A row without valid steps ends in the state it started from; ONNX Runtime's operators end in zeros."""
        sequence = tf.ensure_shape(next(outputs), [*x.shape[:2], item.units])
        finals = [tf.ensure_shape(next(outputs), [x.shape[0], item.units]) for _ in item.state_names]
        if given is not None and lengths is not None:
            finals = [tf.where(lengths[:, None] > 0, final, next(given)) for final in finals]
        return sequence, finals

    def _replace_marker(self, graph: Any, node: Any, name: str, args: Any) -> None:
        number = int(node.inputs[0].get_tensor_value())
        marker, inputs = self._markers[number], list(node.input[1:])
        outputs = [_order(graph, inputs[0])] if marker is None else _NodeBuilder(graph, marker, number).build(inputs)
        for old, new in zip(list(node.output), outputs, strict=True):
            graph.replace_all_inputs(old, new)
        graph.remove_node(node.name)


def dense(tracer: Tracer, layer: layers.Dense) -> Replacements:
    """One `MatMul` whatever the rank; Keras' own call flattens all axes but the last and puts them back."""

    def call(inputs: Any, training: bool = False) -> tf.Tensor:
        output = tf.matmul(tf.cast(inputs, tf.float32), tf.cast(layer.kernel, tf.float32))
        output = output if layer.bias is None else output + tf.cast(layer.bias, tf.float32)
        return output if layer.activation is None else layer.activation(output)

    plain = type(layer).call is layers.Dense.call and layer.quantization_mode is None
    return {"call": call} if plain else {}


RULES: Sequence[tuple[type, Rule]] = ((layers.Dense, dense),)  # those of ONNX alone, before the source's


def _never_run(*_: Any) -> NoReturn:
    raise RuntimeError("A marker op is replaced during conversion and never runs.")


def _order(graph: Any, key: str) -> str:
    """The keys are distinct, so the T smallest of T in their order are a sort: one `TopK`."""
    steps = graph.make_node("Shape", [key], attr={"start": 1, "end": 2})
    best = graph.make_node("TopK", [key, steps.output[0]], attr={"largest": 0}, output_count=2)
    return str(graph.make_node("Cast", [best.output[1]], attr={"to": TensorProto.INT32}).output[0])


def _where(graph: Any, node: Any, name: str, args: Any) -> None:
    """`tf.where` is ONNX's `Where`; tf2onnx multiplies by the condition, which turns infinities into NaN."""
    node.type = "Where"


def _erfc(graph: Any, node: Any, name: str, args: Any) -> None:
    """`gelu` is written with the complement of the error function, which ONNX does not have."""
    one = graph.make_const(f"{name}_one", np.float32(1)).output[0]
    error = graph.make_node("Erf", [node.input[0]]).output[0]
    node.type = "Sub"
    graph.replace_inputs(node, [one, error])


def _expm1(graph: Any, node: Any, name: str, args: Any) -> None:
    """`celu` is written with exp(x) - 1, for which ONNX has no operator of its own."""
    one = graph.make_const(f"{name}_one", np.float32(1)).output[0]
    power = graph.make_node("Exp", [node.input[0]]).output[0]
    node.type = "Sub"
    graph.replace_inputs(node, [power, one])


def _reverse(graph: Any, node: Any, name: str, args: Any) -> None:
    """`tf.reverse` as one `Slice` with steps of -1; tf2onnx writes a `ReverseSequence` and its lengths."""
    axes = np.atleast_1d(node.inputs[1].get_tensor_value(as_list=False)).astype("int64")
    last, end, step = (np.full_like(axes, value) for value in (-1, np.iinfo("int64").min, -1))
    constants = [
        graph.make_const(f"{name}_{label}", value).output[0]
        for label, value in (("starts", last), ("ends", end), ("axes", axes), ("steps", step))
    ]
    sliced = graph.make_node("Slice", [node.input[0], *constants], name=f"{name}_slice")
    graph.replace_all_inputs(node.output[0], sliced.output[0])
    graph.copy_shape(node.output[0], sliced.output[0])
    graph.copy_dtype(node.output[0], sliced.output[0])
    graph.remove_node(node.name)


@dataclass(frozen=True)
class _NodeBuilder:
    """Writes the node of one marker into a tf2onnx graph, and the few around it that turn it to time-major."""

    graph: Any
    marker: _Marker
    number: int

    def build(self, inputs: list[str]) -> list[str]:
        """The names that replace the marker's outputs: sequence [B, T, H] and states [B, H] of each item."""
        marker, item = self.marker, self.items[0]
        states = inputs[1 + marker.has_lengths :]
        operands = [
            self._node("Transpose", [inputs[0]], perm=[1, 0, 2]),
            *(self._constant(suffix, value) for suffix, value in weights(self.items)),
            inputs[1] if marker.has_lengths else "",
        ]
        count = len(item.state_names)
        operands += [self._stacked(states[index::count]) if marker.has_states else "" for index in range(count)]
        if item.peepholes is not None:
            operands.append(self._constant("P", peepholes(self.items)))
        while operands[-1] == "":
            operands.pop()
        made = self.graph.make_node(
            _OPERATORS[item.kind],
            operands,
            attr=attributes(self.items),
            name=self.name,
            output_count=1 + count,
        )
        return [output for index in range(len(self.items)) for output in self._outputs(made.output, index)]

    @property
    def items(self) -> tuple[Recurrence, ...]:
        return self.marker.items

    @property
    def name(self) -> str:
        """The layer's name and, so that no two nodes share it, the number of the marker."""
        layer = self.items[0].name
        return f"{layer.removeprefix('forward_') if len(self.items) == 2 else layer}:{self.number}"

    def _outputs(self, made: Sequence[str], direction: int) -> list[str]:
        sequence = self._node("Transpose", [self._direction(made[0], direction, axis=1)], perm=[1, 0, 2])
        return [sequence, *(self._direction(state, direction, axis=0) for state in made[1:])]

    def _direction(self, value: str, direction: int, axis: int) -> str:
        """One direction of `value`, without the axis of directions."""
        if len(self.items) == 1:
            return self._node("Squeeze", [value, self._constant("axes", np.array([axis], "int64"))])
        return self._node("Gather", [value, self._constant("direction", np.array(direction, "int64"))], axis=axis)

    def _stacked(self, states: Sequence[str]) -> str:
        """States [B, H] of each direction -> [directions, B, H]."""
        axes = self._constant("axes", np.array([0], "int64"))
        rows = [self._node("Unsqueeze", [state, axes]) for state in states]
        return rows[0] if len(rows) == 1 else self._node("Concat", rows, axis=0)

    def _node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        return str(self.graph.make_node(kind, inputs, attr=attributes).output[0])

    def _constant(self, suffix: str, value: np.ndarray) -> str:
        from tf2onnx.utils import make_name

        return str(self.graph.make_const(make_name(f"{self.items[0].name}_{suffix}"), value).output[0])


def weights(items: Sequence[Recurrence]) -> list[tuple[str, np.ndarray]]:
    """W [directions, g H, D], R [directions, g H, H], B [directions, 2 g H] in ONNX's order of gates."""
    kernels = np.stack([_reordered(item, item.kernel).T for item in items])
    recurrent = np.stack([_reordered(item, item.recurrent_kernel).T for item in items])
    biases = np.stack([_bias(item) for item in items])
    return [(name, np.ascontiguousarray(value)) for name, value in (("W", kernels), ("R", recurrent), ("B", biases))]


def peepholes(items: Sequence[Recurrence]) -> np.ndarray:
    """P [directions, 3 H], the gates in ONNX's order: input, output, forget."""
    return np.stack([item.peepholes[[0, 2, 1]].reshape(-1) for item in items if item.peepholes is not None])


def attributes(items: Sequence[Recurrence]) -> dict[str, Any]:
    """Of the node for one direction or two. Activations are left out where they are ONNX's defaults."""
    item = items[0]
    found: dict[str, Any] = {"hidden_size": item.units, "direction": "bidirectional"}
    if len(items) == 1:
        found["direction"] = "reverse" if item.backwards else "forward"
    if item.kind == "gru":
        found["linear_before_reset"] = int(item.reset_after)
    if item.coupled:
        found["input_forget"] = 1
    if any((item.activation, item.recurrent_activation) != ("tanh", "sigmoid") for item in items):
        used = [_ACTIVATIONS[name] for item in items for name in _activation_names(item)]
        found["activations"] = [activation.name for activation in used]
        found["activation_alpha"] = [activation.alpha for activation in used if activation.alpha is not None]
        found["activation_beta"] = [activation.beta for activation in used if activation.beta is not None]
    return {name: value for name, value in found.items() if value != []}


def _activation_names(item: Recurrence) -> tuple[str, ...]:
    return {
        "lstm": (item.recurrent_activation, item.activation, item.activation),
        "gru": (item.recurrent_activation, item.activation),
        "simple_rnn": (item.activation,),
    }[item.kind]


def _bias(item: Recurrence) -> np.ndarray:
    """Input bias, then recurrent bias; only a gru with `reset_after` has the second."""
    first, second = item.bias if item.reset_after else (item.bias, np.zeros_like(item.bias))
    return np.concatenate([_reordered(item, first), _reordered(item, second)])


def _reordered(item: Recurrence, weight: np.ndarray) -> np.ndarray:
    gates = np.split(weight, len(_GATES[item.kind]), axis=-1)
    return np.concatenate([gates[index] for index in _GATES[item.kind]], axis=-1)
