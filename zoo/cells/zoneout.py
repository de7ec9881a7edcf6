import itertools
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell  # by this class Keras knows who keeps a dropout mask

from zoo.cells.dropout import check_rate
from zoo.cells.gated import Config, project, step
from zoo.errors import InvalidInput


@keras.saving.register_keras_serializable(package="zoo")
class ZoneoutCell(DropoutRNNCell, keras.layers.Layer):
    """One step of any cell, after which some units keep their old state.

        s' = m * s + (1 - m) * cell(x, s)      in training: m is 1 with probability `rate`, drawn anew for every step,
                                               example, state and unit
        s' = rate * s + (1 - rate) * cell(x, s)                                                in inference

    `rate` is `hidden_rate` for the first state of the cell (h) and `cell_rate` for the second (c).
    Shapes:  those of the cell. Its output is its first state, as in every cell of Keras and of this package.
    Masking: `keras.layers.RNN` copies the states over a masked step.
    Raises:  InvalidInput if a rate is outside [0, 1), or `cell_rate` is given to a cell without a second state.
             RuntimeError in training on JAX under `keras.layers.RNN`, whose loop cannot draw: use `zoo.layers.RNN`.
    Source:  Krueger et al. 2016, arXiv:1606.01305.  Differs: none; the paper's best rates are 0.05 for h, 0.5 for c.

    >>> import numpy as np
    >>> cell = ZoneoutCell(keras.layers.LSTMCell(4), hidden_rate=0.05, cell_rate=0.5)
    >>> keras.layers.RNN(cell)(np.ones((2, 5, 3), "float32")).shape
    TensorShape([2, 4])
    """

    def __init__(
        self, cell: Any, hidden_rate: float = 0.0, cell_rate: float = 0.0, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        check_rate("hidden_rate", hidden_rate), check_rate("cell_rate", cell_rate)
        super().__init__(**kwargs)
        self.cell, self.hidden_rate, self.cell_rate, self.seed = cell, hidden_rate, cell_rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        sizes = cell.state_size
        self.state_size = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
        self.output_size = getattr(cell, "output_size", self.state_size[0])
        if cell_rate and len(self.state_size) == 1:
            raise InvalidInput(
                f"cell_rate={cell_rate!r} is for a second state, and {type(cell).__name__} has only one: "
                "give hidden_rate alone."
            )

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("h", "c")[: len(self.state_size)]

    @property
    def rates(self) -> list[float]:
        return [self.hidden_rate, self.cell_rate][: len(self.state_size)]

    def build(self, input_shape: Any) -> None:
        if not self.cell.built:
            self.cell.build(input_shape)
            self.cell.built = True

    def project(self, x, training=False):
        """The first half of the cell; in training the masks of the second, 0 or 1, stand behind its features."""
        projected = project(self.cell, x, training)
        return ops.concatenate([projected, self._masks(x, projected.dtype)], axis=-1) if training else projected

    def step(self, x, states, training=False):
        amounts: list[Any] = list(self.rates)
        if training:
            width = x.shape[-1] - sum(self.state_size)
            x, masks = x[..., :width], x[..., width:]
            borders = itertools.accumulate(self.state_size, initial=0)
            amounts = [masks[..., start:end] for start, end in itertools.pairwise(borders)]
        _, new = step(self.cell, x, states, training)
        blended = [m * old + (1 - m) * value for m, old, value in zip(amounts, states, new, strict=True)]
        return blended[0], blended

    def call(self, inputs, states, training=False):
        if training and keras.backend.backend() == "jax":
            raise RuntimeError(
                "ZoneoutCell draws a mask at every step, which a JAX loop cannot do: "
                "train it under zoo.layers.RNN(cell), which draws all masks before its loop."
            )
        nested = isinstance(states, list | tuple)
        output, new = self.step(self.project(inputs, training), list(states) if nested else [states], training)
        return output, new if nested else new[0]

    def _masks(self, x: Any, dtype: Any) -> Any:
        """[..., all states side by side] for x [..., D]: 1 where a unit keeps its old state."""
        shape = (*ops.shape(x)[:-1], sum(self.state_size))
        uniform = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        rates = ops.convert_to_tensor(np.repeat(self.rates, self.state_size), dtype="float32")
        return ops.cast(uniform < rates, dtype)

    def get_initial_state(self, batch_size=None):
        initial = self.cell.get_initial_state(batch_size=batch_size)
        return list(initial) if isinstance(initial, list | tuple) else [initial]

    def get_dropout_mask(self, step_input):
        return self.cell.get_dropout_mask(step_input) if isinstance(self.cell, DropoutRNNCell) else None

    def get_recurrent_dropout_mask(self, step_input):
        return self.cell.get_recurrent_dropout_mask(step_input) if isinstance(self.cell, DropoutRNNCell) else None

    def reset_dropout_mask(self):
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_dropout_mask()

    def reset_recurrent_dropout_mask(self):
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_recurrent_dropout_mask()

    def get_config(self) -> Config:
        own = {"hidden_rate": self.hidden_rate, "cell_rate": self.cell_rate, "seed": self.seed}
        return {**super().get_config(), "cell": keras.layers.serialize(self.cell), **own}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        cell = keras.layers.deserialize(config["cell"], custom_objects=custom_objects)
        return cls(**{**config, "cell": cell})
