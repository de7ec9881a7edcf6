from typing import Any

import keras
from keras import ops

from zoo.cells.gated import Config, ForgettingCell


@keras.saving.register_keras_serializable(package="zoo")
class PeepholeLSTMCell(ForgettingCell):
    """One step of an LSTM whose gates also see the cell state.

        i, f, g, o = split(x W + h U + b)
        c' = s(f + pf * c) * c + s(i + pi * c) * a(g)        input and forget gate see the old cell state
        h' = s(o + po * c') * a(c')                          the output gate sees the new one

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h, c [B, H]; W `kernel` [D, 4H]; U `recurrent_kernel` [H, 4H]; b `bias` [4H];
             `peephole` [3, H] (pi, pf, po). B batch, D features, H units. States [h, c]; returns h', [h', c'].
    Masking: `keras.layers.RNN` copies h and c over a masked step.
    Raises:  InvalidInput if units < 1 or a dropout rate is outside [0, 1).
    Source:  Gers & Schmidhuber 2000, "Recurrent nets that time and count", IJCNN; Gers, Schraudolph & Schmidhuber
             2002, JMLR 3.
    Differs: peepholes start at 0 (`peephole_initializer`), so that training starts from a plain LSTM.
    """

    gates = "ifgo"

    def __init__(self, units: int, *args: Any, peephole_initializer: Any = "zeros", **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.peephole = self.add_vector("peephole", (3, self.units), self.peephole_initializer)

    def step(self, x, states, training=False):
        h, c = states
        p_i, p_f, p_o = self.peephole[0], self.peephole[1], self.peephole[2]
        h = self.drop_hidden(h, training)
        i, f, g, o = ops.split(x + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        i, f = self.recurrent_activation(i + p_i * c), self.recurrent_activation(f + p_f * c)
        c = f * c + i * self.activation(g)
        h = self.recurrent_activation(o + p_o * c) * self.activation(c)
        return h, [h, c]

    def get_config(self) -> Config:
        peephole = keras.initializers.serialize(self.peephole_initializer)
        return {**super().get_config(), "peephole_initializer": peephole}
