import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class DotAttention(keras.layers.Layer):
    """What each query reads from a memory, and where it looks.

        look    = softmax(query keys^T / sqrt(D))       over the steps of the memory that are valid
        context = look values

    Shapes: query [B, T, D], keys [B, S, D], values [B, S, E], valid bool [B, S] -> context [B, T, E], look [B, T, S].
    Source: Luong, Pham & Manning 2015, arXiv:1508.04025; scaled as by Vaswani et al. 2017, arXiv:1706.03762.

    >>> import numpy as np
    >>> values = np.ones((1, 3, 4), "float32")
    >>> context, look = DotAttention()(np.ones((1, 2, 8)), np.ones((1, 3, 8)), values, np.array([[True, True, False]]))
    >>> context.shape, look[0, 0].numpy().tolist()
    (TensorShape([1, 2, 4]), [0.5, 0.5, 0.0])
    """

    def call(self, query, keys, values, valid):
        scores = ops.matmul(query, ops.transpose(keys, (0, 2, 1))) * float(query.shape[-1]) ** -0.5
        scores = ops.where(ops.expand_dims(valid, 1), scores, -1e9 if scores.dtype != "float16" else -6e4)
        look = ops.softmax(scores, -1)
        return ops.matmul(look, values), look
