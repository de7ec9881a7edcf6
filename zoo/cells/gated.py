"""What the cells of the family share: Keras' arguments, the weights every one has, and a step in two halves."""

import numbers
from typing import Any, ClassVar

import keras
from keras import ops

from zoo.cells.dropout import SequenceDropout
from zoo.errors import InvalidInput

Config = dict[str, Any]


class GatedCell(SequenceDropout, keras.layers.SimpleRNNCell):
    """A cell of `gates` gates, one letter each in the order in which the weights hold them.

    project(x)         what depends on the input alone: x W + b, for one step [B, D] or for all of them [B, T, D]
    step(x, states)    one step from a projected input [B, G H] -> output, new states
    call               both, as `keras.layers.RNN` calls a cell

    `zoo.layers.RNN` and the layers around these cells project a whole sequence in one product before their loop.
    Shapes: W `kernel` [D, G H]; U `recurrent_kernel` [H, G H]; b `bias` [G H]. B batch, D features, H units, G gates.
    Arguments are those of `keras.layers.SimpleRNNCell` and `recurrent_activation`, the activation of the gates.
    """

    gates: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(check_units("units", units), activation=activation, use_bias=use_bias, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.state_size = [units for _ in self.state_names]

    def build(self, input_shape: Any) -> None:
        width = len(self.gates) * self.units
        self.kernel = self.add_kernel("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self.add_kernel("recurrent_kernel", (self.output_size, width))
        self.bias = self.add_bias((width,)) if self.use_bias else None

    def add_kernel(self, name: str, shape: tuple[int, ...]) -> Any:
        """A weight with the initialiser, regulariser and constraint of its kind: "kernel" or "recurrent_kernel"."""
        kind = name.removesuffix("_kernel")
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=getattr(self, f"{kind}_initializer"),
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def add_bias(self, shape: tuple[int, ...], initializer: Any = None) -> Any:
        return self.add_weight(
            shape=shape,
            name="bias",
            initializer=self.bias_initializer if initializer is None else initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def add_vector(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        """A weight of a cell's own, such as a gain."""
        return self.add_weight(shape=shape, name=name, initializer=initializer)

    def project(self, x: Any, training: bool = False) -> Any:
        x = ops.matmul(self.drop_input(x, training), self.kernel)
        return x if self.bias is None else x + self.bias

    def step(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        raise NotImplementedError

    def call(self, inputs, states, training=False):
        nested = isinstance(states, list | tuple)
        output, new = self.step(self.project(inputs, training), list(states) if nested else [states], training)
        return output, new if nested else new[0]

    def drop_input(self, x: Any, training: bool) -> Any:
        """x [B, D] or [B, T, D] under the one mask of its sequence."""
        if not (training and self.dropout):
            return x
        mask = self.get_dropout_mask(x if len(x.shape) == 2 else x[:, 0])
        return x * (mask if len(x.shape) == 2 else mask[:, None])

    def drop_hidden(self, h: Any, training: bool) -> Any:
        return h * self.get_recurrent_dropout_mask(h) if training and self.recurrent_dropout else h

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self) -> Config:
        gate = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_config(), "recurrent_activation": gate}


class ForgettingCell(GatedCell):
    """A cell with states h, c and a forget gate "f", whose bias starts at 1 unless `unit_forget_bias=False`.

    As in Keras, `bias_initializer` then sees the biases before and after the forget gate's, each block alone.
    """

    state_names = ("h", "c")

    def __init__(self, units: int, *args: Any, unit_forget_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    def add_bias(self, shape: tuple[int, ...], initializer: Any = None) -> Any:
        return super().add_bias(shape, self._forgetting_slowly if self.unit_forget_bias else initializer)

    def _forgetting_slowly(self, shape: Any, dtype: Any = None) -> Any:
        before, after = self.gates.split("f")
        ones = keras.initializers.Ones()
        blocks = [(len(before), self.bias_initializer), (1, ones), (len(after), self.bias_initializer)]
        return ops.concatenate([make((count * self.units,), dtype=dtype) for count, make in blocks if count])

    def get_config(self) -> Config:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


def check_units(name: str, units: Any) -> int:
    """`units` as an int. Raises InvalidInput for anything but a whole number from 1 on."""
    if isinstance(units, bool) or not isinstance(units, numbers.Integral) or units < 1:
        raise InvalidInput(f"{name}={units!r} is not a number of units: give a whole number from 1 up.")
    return int(units)


def project(cell: Any, x: Any, training: bool) -> Any:
    """The first half of any cell; Keras' own and a user's have it inside their step."""
    return cell.project(x, training) if hasattr(cell, "project") else x


def step(cell: Any, x: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
    """The second half of any cell."""
    if hasattr(cell, "step"):
        return cell.step(x, states, training)
    arguments = {"training": training} if getattr(cell, "_call_has_training_arg", False) else {}
    output, new = cell(x, states, **arguments)
    return output, list(new) if isinstance(new, list | tuple) else [new]
