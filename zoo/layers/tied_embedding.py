from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class TiedEmbedding(keras.layers.Embedding):
    """An embedding that also scores the tokens: one matrix in place of two.

        y = E[tokens]                   called on tokens [B, T] int -> [B, T, D]
        logits = x E^T + b              called on x [B, T, D] with reverse=True -> [B, T, V]

    Weights: E [V, D]; b [V], zero at first.  V tokens, D dimensions.
    Source:  Press & Wolf 2017, arXiv:1608.05859; Inan, Khosravi & Socher 2017, arXiv:1611.01462.

    >>> import numpy as np
    >>> embedding = TiedEmbedding(10, 4)
    >>> x = embedding(np.array([[1, 2, 3]]))
    >>> x.shape, embedding(x, reverse=True).shape
    (TensorShape([1, 3, 4]), TensorShape([1, 3, 10]))
    """

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.bias = self.add_weight(shape=(self.input_dim,), initializer="zeros", name="bias")

    def call(self, inputs, reverse=False):
        if not reverse:
            return super().call(inputs)
        return ops.matmul(inputs, ops.transpose(self.embeddings)) + self.bias

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        hidden = "float" in str(inputs.dtype) and len(inputs.shape) > 2 and inputs.shape[-1] == self.output_dim
        return None if hidden else super().compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        return (*input_shape[:-1], self.input_dim) if reverse else super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape, reverse), self.compute_dtype)

    def save_own_variables(self, store: Any) -> None:
        keras.layers.Layer.save_own_variables(self, store)  # that of Embedding knows no bias

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)
