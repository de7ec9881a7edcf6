from typing import Any

import keras
from keras import ops

from zoo.cells.gated import Config, ForgettingCell
from zoo.cells.normalization import check_epsilon, normalized


@keras.saving.register_keras_serializable(package="zoo")
class LayerNormLSTMCell(ForgettingCell):
    """One step of an LSTM whose gates and cell state are layer-normalised.

        i, f, g, o = split(LN(x W) + LN(h U) + b)        each LN over all 4H values, with a gain of its own
        c' = s(f) * c + s(i) * a(g)                      cell state
        h' = s(o) * a(LN(c') + d)                        hidden state

    LN(v) = gain * (v - mean(v)) / sqrt(variance(v) + epsilon).
    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h, c [B, H]; W `kernel` [D, 4H]; U `recurrent_kernel` [H, 4H]; b `bias` [4H];
             gains `kernel_gain`, `recurrent_gain` [4H], `cell_gain` [H]; d `cell_bias` [H].
             B batch, D features, H units. States [h, c]; returns h', [h', c'].
    Masking: `keras.layers.RNN` copies h and c over a masked step.
    Raises:  InvalidInput if units < 1, epsilon <= 0, or a dropout rate is outside [0, 1).
    Source:  Ba, Kiros & Hinton 2016, arXiv:1607.06450, equations 20 to 22.
    Differs: the two offsets of the gates, which only ever occur as their sum, are the one bias b; forget bias starts
             at 1.
    """

    gates = "ifgo"

    def __init__(self, units: int, *args: Any, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.epsilon = check_epsilon(epsilon)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.kernel_gain = self.add_vector("kernel_gain", (4 * self.units,), "ones")
        self.recurrent_gain = self.add_vector("recurrent_gain", (4 * self.units,), "ones")
        self.cell_gain = self.add_vector("cell_gain", (self.units,), "ones")
        self.cell_bias = self.add_vector("cell_bias", (self.units,), "zeros") if self.use_bias else None

    def project(self, x, training=False):
        x = normalized(ops.matmul(self.drop_input(x, training), self.kernel), self.kernel_gain, self.epsilon)
        return x if self.bias is None else x + self.bias

    def step(self, x, states, training=False):
        h, c = states
        h = ops.matmul(self.drop_hidden(h, training), self.recurrent_kernel)
        i, f, g, o = ops.split(x + normalized(h, self.recurrent_gain, self.epsilon), 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        seen = normalized(c, self.cell_gain, self.epsilon)
        h = self.recurrent_activation(o) * self.activation(seen if self.cell_bias is None else seen + self.cell_bias)
        return h, [h, c]

    def get_config(self) -> Config:
        return {**super().get_config(), "epsilon": self.epsilon}
