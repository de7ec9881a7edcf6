import keras
from keras import ops

from zoo.cells.linear import LinearCell


@keras.saving.register_keras_serializable(package="zoo")
class MinGRUCell(LinearCell):
    """One step of a minGRU: a GRU whose gate and candidate see the input alone, so that it trains by a parallel scan.

        z = s(x Wz + bz)                       update gate
        n = a(x Wn + bn)                       candidate
        h' = (1 - z) * h + z * n               hidden state

    s is the logistic sigmoid, a is `activation` (none).
    Shapes:  x [B, D]; h [B, H]; W `kernel` [D, 2H] (z, n); b `bias` [2H].
             B batch, D features, H units. State [h]; returns h', [h'].
    Masking: `keras.layers.RNN` copies h over a masked step.
    Raises:  InvalidInput if units < 1, `dropout` is outside [0, 1), or an argument of a recurrent kernel is given.
    Source:  Feng et al. 2024, "Were RNNs All We Needed?", arXiv:2410.01201, section 3.1.
    Differs: `zoo.layers.MinGRU` scans keep and write themselves, not their logarithms. It never divides, so candidates
             may have any sign; with the paper's g(v) = v + 1/2 above 0, s(v) below as `activation` it is appendix B.
    """

    gates = "zn"

    def coefficients(self, x):
        z, n = ops.split(x, 2, axis=-1)
        return ops.sigmoid(-z), ops.sigmoid(z) * self.activation(n)
