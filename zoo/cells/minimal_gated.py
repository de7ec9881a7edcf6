import keras
from keras import ops

from zoo.cells.gated import GatedCell


@keras.saving.register_keras_serializable(package="zoo")
class MinimalGatedCell(GatedCell):
    """One step of a minimal gated unit: a GRU whose update and reset gate are one.

        f = s(x Wf + h Uf + bf)                forget gate
        n = a(x Wn + (f * h) Un + bn)          candidate
        h' = (1 - f) * h + f * n               hidden state

    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h [B, H]; W `kernel` [D, 2H] (f, n); U `recurrent_kernel` [H, 2H]; b `bias` [2H].
             B batch, D features, H units. State [h]; returns h', [h'].
    Masking: `keras.layers.RNN` copies h over a masked step.
    Raises:  InvalidInput if units < 1 or a dropout rate is outside [0, 1).
    Source:  Zhou et al. 2016, arXiv:1603.09420.  Differs: none; f near 1 forgets, as in the paper.
    """

    gates = "fn"

    def step(self, x, states, training=False):
        (previous,) = states
        h = self.drop_hidden(previous, training)
        x_f, x_n = ops.split(x, 2, axis=-1)
        u_f, u_n = self.recurrent_kernel[:, : self.units], self.recurrent_kernel[:, self.units :]
        f = self.recurrent_activation(x_f + ops.matmul(h, u_f))
        n = self.activation(x_n + ops.matmul(f * h, u_n))
        h = (1 - f) * previous + f * n
        return h, [h]
