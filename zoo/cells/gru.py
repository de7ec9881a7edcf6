import keras
from keras import ops

from zoo.cells.dropout import SequenceDropout


@keras.saving.register_keras_serializable(package="zoo")
class GRUCell(SequenceDropout, keras.layers.GRUCell):
    """One step of a gated recurrent unit.

        z, r = s(split(x W + h U + b)[:2])                update gate, reset gate
        n = a(x Wn + bn + r * (h Un + dn))                candidate, `reset_after=True` (the default, cuDNN's form)
        n = a(x Wn + bn + (r * h) Un)                     candidate, `reset_after=False` (the paper's form)
        h' = z * h + (1 - z) * n                          hidden state

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes: x [B, D]; h [B, H]; W `kernel` [D, 3H]; U `recurrent_kernel` [H, 3H];
            `bias` [2, 3H] (input bias b, recurrent bias d) with `reset_after`, else [3H].
            B batch, D features, H units. State [h]; returns h', [h'].
    Weights, their order and names, initialisers and `get_config` are those of `keras.layers.GRUCell`.
    Dropout: `dropout` masks x, `recurrent_dropout` masks h, see `SequenceDropout`.
    Raises:  ValueError if units < 1 or a dropout rate is outside [0, 1).
    Source:  Cho et al. 2014, arXiv:1406.1078.  Differs: the paper's z weighs the candidate, Keras' z weighs h.

    >>> import numpy as np
    >>> output, (h,) = GRUCell(4)(np.ones((2, 3), "float32"), [np.zeros((2, 4), "float32")])
    >>> output.shape
    TensorShape([2, 4])
    """

    def call(self, inputs, states, training=False):
        (previous,) = states if isinstance(states, list | tuple) else (states,)
        x, h = self.drop(inputs, previous, training)
        input_bias, recurrent_bias = self._biases()
        x_z, x_r, x_n = ops.split(ops.matmul(x, self.kernel) + input_bias, 3, axis=-1)
        if self.reset_after:
            h_z, h_r, h_n = ops.split(ops.matmul(h, self.recurrent_kernel) + recurrent_bias, 3, axis=-1)
        else:
            h_z, h_r = ops.split(ops.matmul(h, self.recurrent_kernel[:, : 2 * self.units]), 2, axis=-1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        recurrent_n = r * h_n if self.reset_after else ops.matmul(r * h, self.recurrent_kernel[:, 2 * self.units :])
        n = self.activation(x_n + recurrent_n)
        h = z * previous + (1 - z) * n
        return h, [h] if isinstance(states, list | tuple) else h

    def _biases(self):
        if not self.use_bias:
            return 0.0, 0.0
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, 0.0)
