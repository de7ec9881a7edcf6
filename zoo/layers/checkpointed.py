"""`Checkpointed`: a recurrent layer that keeps few of its activations and computes the others twice."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.errors import InvalidInput
from zoo.layers.rnn import require_fit

_DROPOUTS = ("dropout", "recurrent_dropout", "hidden_rate", "cell_rate")


@keras.saving.register_keras_serializable(package="zoo")
class Checkpointed(keras.layers.Layer):
    """Trains a recurrent layer on sequences too long to keep every step in memory.

    In training the sequence is cut into segments. The forward pass keeps the states at their borders only; the backward
    pass computes each segment again just before it needs it. Outputs and gradients are those of the layer alone;
    memory falls from T steps to T / segment states and one segment of steps, for one more forward pass.
    Outside training the layer runs as it is, so an exported model does not know of the wrapper.

    layer:   any Keras recurrent layer of one cell, with its own `return_sequences`, `return_state`, masks and weights
    segment: steps in a segment; the square root of T unless given, where T / segment + segment is least
    Shapes:  x [B, T, D] -> [B, H], or [B, T, H] with the layer's `return_sequences`; T must be known when it runs.
    Raises:  InvalidInput for another kind of layer, one with dropout (each run would draw another mask), `stateful`,
             `unroll`, `go_backwards` or an `activity_regularizer`, inside `Bidirectional`, for a segment below 1, and
             for a number of steps that is 0 or, in training, unknown.
    Source:  Chen, Xu, Zhang & Guestrin 2016, arXiv:1604.06174; for recurrent layers Gruslys et al. 2016,
             arXiv:1606.03401.

    >>> import numpy as np
    >>> Checkpointed(keras.layers.GRU(4))(np.zeros((1, 100, 2), "float32"), training=True).shape
    TensorShape([1, 4])
    """

    def __init__(self, layer: Any, segment: int | None = None, **kwargs: Any) -> None:
        _check(layer, segment)
        if "go_backwards" in kwargs:  # by which `Bidirectional` makes its second side
            raise InvalidInput(
                "Checkpointed cannot stand inside Bidirectional: use two of them, the second on keras.ops.flip(x, 1)."
            )
        super().__init__(**{"dtype": layer.dtype_policy, **kwargs})
        self.layer, self.segment = layer, segment
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        layer.return_sequences = layer.return_state = True  # what runs between the borders of the segments
        self.supports_masking = True

    def build(self, inputs_shape: Any, initial_state_shape: Any = None) -> None:
        self.layer.build(inputs_shape)

    def compute_output_shape(self, inputs_shape: Any, initial_state_shape: Any = None) -> Any:
        sequence, *states = self.layer.compute_output_shape(inputs_shape)
        output = sequence if self.return_sequences else (sequence[0], *sequence[2:])
        return (output, *states) if self.return_state else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [mask if self.return_sequences else None]
        return [*masks, *[None] * len(self._states(1))] if self.return_state else masks[0]

    def call(self, inputs: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        require_fit(self.layer, inputs, initial_state, mask)
        states = self._states(ops.shape(inputs)[0]) if initial_state is None else keras.tree.flatten(initial_state)
        if training:
            sequence, *states = self._in_segments(inputs, states, mask)
        else:
            sequence, *states = self.layer(inputs, initial_state=states, mask=mask)
        output = sequence if self.return_sequences else sequence[:, -1]
        return (output, *states) if self.return_state else output

    def _states(self, batch: Any) -> list[Any]:
        return list(self.layer.get_initial_state(batch))

    def _in_segments(self, x: Any, states: list[Any], mask: Any) -> list[Any]:
        """[sequence, states…]: whole segments that are computed again for the gradient, then the steps left over."""
        steps = x.shape[1]
        if steps is None:
            raise InvalidInput(
                f"Layer {self.name!r} cannot cut a sequence of unknown length: give the steps in the Input's shape."
            )
        segment = min(steps, self.segment or math.isqrt(steps - 1) + 1)
        whole = steps - steps % segment
        before = ops.zeros((ops.shape(x)[0], self._width()), dtype=self.compute_dtype)
        mask = ops.ones(ops.shape(x)[:2], dtype="bool") if mask is None else mask
        sequence, *carried = _run(self, x[:, :whole], mask[:, :whole], [before, *states], segment)
        if whole == steps:
            return [sequence, *carried[1:]]
        rest, *carried = self.one_segment(x[:, whole:], mask[:, whole:], carried)
        return [ops.concatenate([sequence, rest], axis=1), *carried[1:]]

    def _width(self) -> int:
        return self.layer.compute_output_shape((1, 1, 1))[0][-1]

    def one_segment(self, x: Any, mask: Any, carried: Sequence[Any]) -> list[Any]:
        """[outputs of the segment, last output, states…] from [last output before it, states…].

        A step masked at the start of a segment repeats the output before it, which the layer alone does not know.
        """
        before, *states = carried
        outputs, *states = self.layer(x, initial_state=states, mask=mask, training=True)
        if not self.layer.zero_output_for_mask:
            seen = ops.cumsum(ops.cast(mask, "int32"), axis=1)[..., None] > 0
            outputs = ops.where(seen, outputs, before[:, None])
        return [outputs, outputs[:, -1], *states]

    def get_config(self) -> dict[str, Any]:
        layer = keras.saving.serialize_keras_object(self.layer)
        layer["config"].update(return_sequences=self.return_sequences, return_state=self.return_state)
        return {**super().get_config(), "layer": layer, "segment": self.segment}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Checkpointed":
        return cls(
            keras.saving.deserialize_keras_object(config["layer"]), **{k: v for k, v in config.items() if k != "layer"}
        )


def _check(layer: Any, segment: int | None) -> None:
    if not isinstance(layer, keras.layers.RNN):
        raise InvalidInput(f"Checkpointed wraps a recurrent layer, not {type(layer).__name__}.")
    if segment is not None and segment < 1:
        raise InvalidInput(f"segment={segment} holds no step: give a number from 1 up.")
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        raise InvalidInput(f"Layer {layer.name!r} has {len(layer.cell.cells)} cells: give each a layer of its own.")
    if layer.activity_regularizer:
        raise InvalidInput(
            f"Layer {layer.name!r} has an activity_regularizer, which would be lost between the segments. "
            "Put an ActivityRegularization layer behind it instead."
        )
    for part, name in itertools.product(layer._flatten_layers(), _DROPOUTS):
        if getattr(part, name, 0):
            raise InvalidInput(
                f"Layer {layer.name!r} has {name}={getattr(part, name)}: its second run would draw another mask. "
                "Put a Dropout layer before or after it instead."
            )
    for name in ("stateful", "unroll", "go_backwards"):
        if getattr(layer, name):
            raise InvalidInput(f"Layer {layer.name!r} has {name}=True, which Checkpointed cannot run in segments.")


def _run(wrapper: Checkpointed, x: Any, mask: Any, carried: list[Any], segment: int) -> list[Any]:
    """[outputs [B, T, H], last output, states…] over whole segments, each computed again for its gradient."""
    if keras.backend.backend() == "tensorflow":
        from zoo.layers.segments import run

        return run(wrapper.one_segment, wrapper.layer.weights, x, mask, carried, segment)
    parts = []
    for start in range(0, x.shape[1], segment):
        piece = slice(start, start + segment)
        again = keras.remat(lambda x, *carried, valid=mask[:, piece]: tuple(wrapper.one_segment(x, valid, carried)))
        part, *carried = again(x[:, piece], *carried)
        parts.append(part)
    return [ops.concatenate(parts, axis=1), *carried]
