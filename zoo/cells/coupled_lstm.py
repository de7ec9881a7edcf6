import keras
from keras import ops

from zoo.cells.gated import GatedCell


@keras.saving.register_keras_serializable(package="zoo")
class CoupledLSTMCell(GatedCell):
    """One step of an LSTM that forgets exactly as much as it takes in: three gates instead of four.

        i, g, o = split(x W + h U + b)
        c' = (1 - s(i)) * c + s(i) * a(g)      cell state
        h' = s(o) * a(c')                      hidden state

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h, c [B, H]; W `kernel` [D, 3H]; U `recurrent_kernel` [H, 3H]; b `bias` [3H].
             B batch, D features, H units. States [h, c]; returns h', [h', c'].
    Masking: `keras.layers.RNN` copies h and c over a masked step.
    Raises:  InvalidInput if units < 1 or a dropout rate is outside [0, 1).
    Source:  Greff et al. 2015, "LSTM: A Search Space Odyssey", arXiv:1503.04069, variant CIFG.
    Differs: no peepholes. Biases start at 0, half open; a bias of -1 on i remembers longer, see `ChronoBias`.
    """

    gates = "igo"
    state_names = ("h", "c")

    def step(self, x, states, training=False):
        h, c = states
        h = self.drop_hidden(h, training)
        i, g, o = ops.split(x + ops.matmul(h, self.recurrent_kernel), 3, axis=-1)
        i = self.recurrent_activation(i)
        c = (1 - i) * c + i * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]
