"""`RNN`: any cell over a sequence, and the base of the layers that stand for one cell each."""

from typing import Any, ClassVar

import keras
from keras import ops
from keras.src import backend  # `backend.rnn` is the loop of `keras.layers.RNN`; Keras has no public name for it

from zoo.cells.gated import GatedCell, project, step
from zoo.errors import InvalidInput


@keras.saving.register_keras_serializable(package="zoo")
class RNN(keras.layers.RNN):
    """A cell, or a list of cells, over a sequence: x [B, T, D] -> [B, H], or [B, T, H] with `return_sequences`.

    `keras.layers.RNN`, argument for argument. A cell of `zoo.cells` projects all steps in one product before the loop,
    and draws what is random in a step (`ZoneoutCell`) there too, so that it also trains on JAX.

    Masking: a masked step copies the states and repeats the output before it (zeros if there is none).
    Raises:  InvalidInput for no time step, a mask of another shape than [B, T], and states of another number or shape.

    >>> import numpy as np
    >>> from zoo.cells import PeepholeLSTMCell, ZoneoutCell
    >>> RNN(ZoneoutCell(PeepholeLSTMCell(8), hidden_rate=0.1))(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    def __init__(self, cell: Any, *args: Any, **kwargs: Any) -> None:
        own = {"dtype": cell.dtype_policy} if isinstance(cell, keras.layers.Layer) else {}
        super().__init__(cell, *args, **{**own, **kwargs})

    def call(self, sequences, initial_state=None, mask=None, training=False):
        require_fit(self, sequences, initial_state, mask)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        initial_state = initial_state if keras.tree.is_nested(initial_state) else [initial_state]
        if keras.backend.backend() == "torch" and self.stateful:  # which would change them under autograd's feet
            initial_state = keras.tree.map_structure(ops.copy, initial_state)
        return backend.rnn(
            lambda x, states: step(self.cell, x, list(states), training),
            project(self.cell, sequences, training),
            initial_state,
            go_backwards=self.go_backwards,
            mask=mask,
            unroll=self.unroll,
            input_length=sequences.shape[1],
            zero_output_for_mask=self.zero_output_for_mask,
            return_all_outputs=self.return_sequences,
        )


def require_fit(layer: Any, sequences: Any, initial_state: Any, mask: Any) -> None:
    """Sizes that are known and disagree; Keras would broadcast some of them and fail inside its loop on others."""
    batch, steps = sequences.shape[:2]
    if steps == 0:
        raise InvalidInput(f"Layer {layer.name!r} was given a sequence of 0 steps: give at least 1.")
    for shape in [tuple(part.shape) for part in keras.tree.flatten(mask)[:1] if part is not None]:
        if len(shape) != 2 or not _agree(shape, (batch, steps)):
            raise InvalidInput(
                f"Layer {layer.name!r} was given a mask of shape {list(shape)}: "
                f"a sequence of shape {list(sequences.shape)} takes one of shape {[batch, steps]}."
            )
    if initial_state is None:
        return
    given = [tuple(state.shape) for state in keras.tree.flatten(initial_state)]
    wanted = [(batch, size) for size in keras.tree.flatten(layer.state_size)]
    if len(given) != len(wanted) or not all(map(_agree, given, wanted)):
        raise InvalidInput(
            f"Layer {layer.name!r} was given states of shapes {', '.join(str(list(shape)) for shape in given)}: "
            f"it takes {', '.join(str(list(shape)) for shape in wanted)}."
        )


def _agree(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether no two known sizes differ."""
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )


class CellLayer(RNN):
    """A layer for one kind of cell: takes the arguments of the cell and those of `keras.layers.RNN` side by side."""

    cell_type: ClassVar[type[GatedCell]]
    cell: GatedCell

    def __init__(
        self,
        units: int,
        *args: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        activity_regularizer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **of_the_cell: Any,
    ) -> None:
        super().__init__(
            self.cell_type(units, *args, dtype=dtype, trainable=trainable, **of_the_cell),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            activity_regularizer=activity_regularizer,
            name=name,
            dtype=dtype,
            trainable=trainable,
        )

    @property
    def units(self) -> int:
        return self.cell.units

    def get_config(self) -> dict[str, Any]:
        of_the_cell = {key: value for key, value in self.cell.get_config().items() if key not in _OF_ANY_LAYER}
        own = {key: value for key, value in super().get_config().items() if key != "cell"}
        regularizer = keras.regularizers.serialize(self.activity_regularizer)
        return {**own, **of_the_cell, "activity_regularizer": regularizer}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


_OF_ANY_LAYER = {"name", "dtype", "trainable"}
