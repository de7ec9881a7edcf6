from typing import Any

import keras

from zoo.errors import InvalidInput


@keras.saving.register_keras_serializable(package="zoo")
class ResidualStack(keras.layers.Layer):
    """Recurrent layers on top of each other, each added to what goes into it, so that deep stacks train.

        y0 = x;  y(n) = y(n-1) + layer_n(y(n-1))         one time step at a time, over the width
        y1 = layer_1(x)                                  where the first layer changes the width

    layers:  any layers from [B, T, D] to [B, T, H], `Bidirectional` and `WeightDrop` included, with
             `return_sequences=True`; all but the first keep the width.
    Shapes:  x [B, T, D] -> [B, T, H].  Masks reach every layer and what comes after the stack.
    Raises:  InvalidInput for no layer, and one that returns a step or its states, reads backwards or changes the width.
    Source:  Wu et al. 2016 (GNMT), arXiv:1609.08144, section 3.1; He et al. 2015, arXiv:1512.03385.

    >>> import numpy as np
    >>> LSTM = keras.layers.LSTM
    >>> stack = ResidualStack([LSTM(8, return_sequences=True) for _ in range(3)])
    >>> stack(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 8])
    """

    def __init__(self, layers: list[Any], **kwargs: Any) -> None:
        if not layers:
            raise InvalidInput("ResidualStack was given no layers: give at least one.")
        super().__init__(**{"dtype": layers[0].dtype_policy, **kwargs})
        self.layers = list(layers)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        for number, layer in enumerate(self.layers):
            if _reads_backwards(layer):
                raise InvalidInput(
                    f"Layer {layer.name!r} of ResidualStack {self.name!r} has go_backwards=True: its first step would "
                    "be added to the last one of what goes into it. Put it in a Bidirectional, or outside the stack."
                )
            layer.build(shape)
            found = layer.compute_output_shape(shape)
            if not isinstance(found[-1], int) or len(found) != 3:
                raise InvalidInput(
                    f"Layer {layer.name!r} of ResidualStack {self.name!r} does not return one sequence: "
                    "give it return_sequences=True and return_state=False."
                )
            if number and found[-1] != shape[-1]:
                raise InvalidInput(
                    f"Layer {layer.name!r} of ResidualStack {self.name!r} turns width {shape[-1]} into {found[-1]}, "
                    "so the two cannot be added: only the first layer may change the width."
                )
            shape = tuple(found)

    def call(self, inputs, mask=None, training=False):
        x = inputs
        for layer in self.layers:
            y = layer(x, mask=mask, training=training)
            x = keras.ops.cast(x, y.dtype) + y if x.shape[-1] == y.shape[-1] else y
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:2], self.layers[-1].compute_output_shape(input_shape)[-1])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": [keras.layers.serialize(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        made = [keras.layers.deserialize(layer, custom_objects=custom_objects) for layer in config["layers"]]
        return cls(**{**config, "layers": made})


def _reads_backwards(layer: Any) -> bool:
    """A wrapper does what the layer inside does, and a `Bidirectional` turns its second side around."""
    if isinstance(layer, keras.layers.Wrapper) and not isinstance(layer, keras.layers.Bidirectional):
        return _reads_backwards(layer.layer)
    return not isinstance(layer, keras.layers.Bidirectional) and bool(getattr(layer, "go_backwards", False))
