from typing import Any

import keras
from keras import ops

from zoo.cells.linear import LinearCell


@keras.saving.register_keras_serializable(package="zoo")
class MinLSTMCell(LinearCell):
    """One step of a minLSTM: forget and input gate see the input alone and add up to one; there is no cell state.

        f, i = s(split(x W + b)[:2])                   forget gate, input gate
        n = a(x Wn + bn)                               candidate
        h' = (f * h + i * n) / (f + i)                 hidden state

    s is the logistic sigmoid, a is `activation` (none).
    Shapes:  x [B, D]; h [B, H]; W `kernel` [D, 3H] (f, i, n); b `bias` [3H].
             B batch, D features, H units. State [h]; returns h', [h'].
    Masking: `keras.layers.RNN` copies h over a masked step.
    Raises:  InvalidInput if units < 1, `dropout` is outside [0, 1), or an argument of a recurrent kernel is given.
    Source:  Feng et al. 2024, "Were RNNs All We Needed?", arXiv:2410.01201, section 3.2.
    Differs: as `MinGRUCell`. f / (f + i) is computed as s(log f - log i), which does not divide by zero.
    """

    gates = "fin"

    def coefficients(self, x):
        f, i, n = ops.split(x, 3, axis=-1)
        odds = _softplus(-i) - _softplus(-f)  # log s(f) - log s(i)
        return ops.sigmoid(odds), ops.sigmoid(-odds) * self.activation(n)


def _softplus(x: Any) -> Any:
    """log(1 + e^x), also where e^x overflows: the converter to TFLite does not care. Its slope at 0 is 1/2."""
    return 0.5 * (x + ops.abs(x)) + ops.log(1 + ops.exp(-ops.abs(x)))
