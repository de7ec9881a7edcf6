from typing import Any

import keras
from keras import ops

from zoo.cells.gated import Config, GatedCell
from zoo.cells.normalization import check_epsilon, normalized


@keras.saving.register_keras_serializable(package="zoo")
class LayerNormGRUCell(GatedCell):
    """One step of a gated recurrent unit whose gates and candidate are layer-normalised.

        z, r = s(split(LN(x Wzr) + LN(h Uzr) + bzr + dzr))      update gate, reset gate: each LN over all 2H values
        n = a(LN(x Wn) + bn + r * (LN(h Un) + dn))              candidate
        h' = z * h + (1 - z) * n                                hidden state

    LN(v) = gain * (v - mean(v)) / sqrt(variance(v) + epsilon).
    s is `recurrent_activation` (sigmoid), a is `activation` (tanh).
    Shapes:  x [B, D]; h [B, H]; W `kernel` [D, 3H]; U `recurrent_kernel` [H, 3H]; `bias` [2, 3H] (b, then d);
             gains `kernel_gain`, `recurrent_gain` [3H]. B batch, D features, H units. State [h]; returns h', [h'].
    Masking: `keras.layers.RNN` copies h over a masked step.
    Raises:  InvalidInput if units < 1, epsilon <= 0, or a dropout rate is outside [0, 1).
    Source:  Ba, Kiros & Hinton 2016, arXiv:1607.06450, equations 23 to 25.
    Differs: the paper's z weighs the candidate, Keras' z weighs h.
    """

    gates = "zrn"

    def __init__(self, units: int, *args: Any, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.epsilon = check_epsilon(epsilon)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.kernel_gain = self.add_vector("kernel_gain", (3 * self.units,), "ones")
        self.recurrent_gain = self.add_vector("recurrent_gain", (3 * self.units,), "ones")

    def add_bias(self, shape: tuple[int, ...], initializer: Any = None) -> Any:
        return super().add_bias((2, *shape), initializer)

    def project(self, x, training=False):
        x = ops.matmul(self.drop_input(x, training), self.kernel)
        return self._normalized(x, self.kernel_gain, None if self.bias is None else self.bias[0])

    def step(self, x, states, training=False):
        (previous,) = states
        h = ops.matmul(self.drop_hidden(previous, training), self.recurrent_kernel)
        h = self._normalized(h, self.recurrent_gain, None if self.bias is None else self.bias[1])
        x_z, x_r, x_n = ops.split(x, 3, axis=-1)
        h_z, h_r, h_n = ops.split(h, 3, axis=-1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        n = self.activation(x_n + r * h_n)
        h = z * previous + (1 - z) * n
        return h, [h]

    def _normalized(self, x: Any, gain: Any, bias: Any) -> Any:
        """The two gates together and the candidate alone, side by side again."""
        gates, both = 2 * self.units, (x[..., : 2 * self.units], x[..., 2 * self.units :])
        parts = zip(both, (gain[:gates], gain[gates:]), strict=True)
        x = ops.concatenate([normalized(part, part_gain, self.epsilon) for part, part_gain in parts], axis=-1)
        return x if bias is None else x + bias

    def get_config(self) -> Config:
        return {**super().get_config(), "epsilon": self.epsilon}
