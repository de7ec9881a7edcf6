from typing import Any

import keras

from zoo.cells.gated import Config, GatedCell


@keras.saving.register_keras_serializable(package="zoo")
class IndRNNCell(GatedCell):
    """One step of an independently recurrent network: each unit sees no other unit's past, only its own.

        h' = a(x W + u * h + b)

    a is `activation` (relu).
    Shapes:  x [B, D]; h [B, H]; W `kernel` [D, H]; u `recurrent_kernel` [H]; b `bias` [H].
             B batch, D features, H units. State [h]; returns h', [h'].
    Masking: `keras.layers.RNN` copies h over a masked step.
    Raises:  InvalidInput if units < 1 or a dropout rate is outside [0, 1).
    Source:  Li et al. 2018, arXiv:1803.04831.
    Differs: u starts uniform in [0, 1]; to hold it below 2^(1/T) for sequences of T steps, as the paper does for relu,
             give a `recurrent_constraint`. Units mix in the layers above: stack at least two.
    """

    gates = "h"

    def __init__(
        self, units: int, activation: Any = "relu", *, recurrent_initializer: Any = None, **kwargs: Any
    ) -> None:
        uniform = keras.initializers.RandomUniform(0.0, 1.0)
        recurrent_initializer = uniform if recurrent_initializer is None else recurrent_initializer
        super().__init__(units, activation, recurrent_initializer=recurrent_initializer, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_kernel("kernel", (input_shape[-1], self.units))
        self.recurrent_kernel = self.add_kernel("recurrent_kernel", (self.units,))
        self.bias = self.add_bias((self.units,)) if self.use_bias else None

    def step(self, x, states, training=False):
        h = self.drop_hidden(states[0], training)
        h = self.activation(x + self.recurrent_kernel * h)
        return h, [h]

    def get_config(self) -> Config:
        return {name: value for name, value in super().get_config().items() if name != "recurrent_activation"}
