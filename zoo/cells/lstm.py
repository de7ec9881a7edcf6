import keras
from keras import ops

from zoo.cells.dropout import SequenceDropout


@keras.saving.register_keras_serializable(package="zoo")
class LSTMCell(SequenceDropout, keras.layers.LSTMCell):
    """One step of a long short-term memory.

        i, f, g, o = split(x W + h U + b)      input gate, forget gate, cell candidate, output gate
        c' = s(f) * c + s(i) * a(g)            cell state
        h' = s(o) * a(c')                      hidden state

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes: x [B, D]; h, c [B, H]; W `kernel` [D, 4H]; U `recurrent_kernel` [H, 4H]; b `bias` [4H].
            B batch, D features, H units. States [h, c]; returns h', [h', c'].
    Weights, their order and names, initialisers and `get_config` are those of `keras.layers.LSTMCell`.
    Dropout: `dropout` masks x, `recurrent_dropout` masks h, see `SequenceDropout`.
    Raises:  ValueError if units < 1 or a dropout rate is outside [0, 1).
    Source:  Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins 2000.

    >>> import numpy as np
    >>> x, h, c = np.ones((2, 3), "float32"), np.zeros((2, 4), "float32"), np.zeros((2, 4), "float32")
    >>> output, (h, c) = LSTMCell(4)(x, [h, c])
    >>> output.shape, c.shape
    (TensorShape([2, 4]), TensorShape([2, 4]))
    """

    def call(self, inputs, states, training=False):
        h, c = states
        x, h = self.drop(inputs, h, training)
        z = ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel)
        if self.use_bias:
            z = z + self.bias
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]
