from typing import Any

import keras
from keras import ops

from zoo.cells.gated import Config, ForgettingCell, check_units


@keras.saving.register_keras_serializable(package="zoo")
class ProjectedLSTMCell(ForgettingCell):
    """One step of an LSTM whose hidden state is a projection of its units: many cells, a small recurrent kernel.

        i, f, g, o = split(x W + h U + b)
        c' = s(f) * c + s(i) * a(g)            cell state
        h' = (s(o) * a(c')) V                  hidden state

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h [B, P]; c [B, H]; W `kernel` [D, 4H]; U `recurrent_kernel` [P, 4H]; b `bias` [4H];
             V `projection_kernel` [H, P]. B batch, D features, H `units`, P `projection_units`.
             States [h, c]; returns h', [h', c'].
    Masking: `keras.layers.RNN` copies h and c over a masked step.
    Raises:  InvalidInput if units or projection_units < 1, or a dropout rate is outside [0, 1).
    Source:  Sak, Senior & Beaufays 2014, arXiv:1402.1128. The form without peepholes and without a non-recurrent
             projection, as `torch.nn.LSTM(proj_size=P)`.
    """

    gates = "ifgo"

    def __init__(
        self,
        units: int,
        projection_units: int,
        *args: Any,
        projection_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.projection_units = check_units("projection_units", projection_units)
        self.projection_initializer = keras.initializers.get(projection_initializer)
        self.state_size = [projection_units, units]
        self.output_size = projection_units

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = (self.units, self.projection_units)
        self.projection_kernel = self.add_weight(
            shape=shape, name="projection_kernel", initializer=self.projection_initializer
        )

    def step(self, x, states, training=False):
        h, c = states
        h = self.drop_hidden(h, training)
        i, f, g, o = ops.split(x + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = ops.matmul(self.recurrent_activation(o) * self.activation(c), self.projection_kernel)
        return h, [h, c]

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "projection_units": self.projection_units,
            "projection_initializer": keras.initializers.serialize(self.projection_initializer),
        }
