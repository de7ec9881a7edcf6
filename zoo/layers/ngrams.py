from typing import Any

import keras
from keras import ops

from zoo.errors import InvalidInput


@keras.saving.register_keras_serializable(package="zoo")
class NGrams(keras.layers.Layer):
    """A linear model of the runs of 1 to n tokens in a text: the wide part beside a deep one.

        r_1(t) = x_t                    r_k(t) = (r_{k-1}(t) V + x_{t-k+1}) mod buckets
        y = sum_k 1/sqrt(m_k) sum_t E_k[r_k(t)]

    A run of two or more may begin before the text and end one step behind it, where all tokens are 0: so beginnings and
    ends have weights of their own. m_k is how many runs of k tokens there are. `dropout` hides whole runs in training.

    Shapes:  x int [B, T], padded with 0 on the right -> y [B, U].  B texts, T tokens, U outputs, V tokens there are.
    Weights: E_1 [V, U]; E_k [min(V^k, buckets), U], zero at first.
    Padding: no run of padding alone counts, so it changes no answer.
    Raises:  InvalidInput if n, V, U or buckets is below 1, or V² or buckets V beyond what int32 holds.
    Source:  Cheng et al. 2016, arXiv:1606.07792; runs that share a weight: Joulin et al. 2016, arXiv:1607.01759.

    >>> import numpy as np
    >>> NGrams(2, n=3, vocabulary=9)(np.array([[3, 4, 8], [5, 0, 0]])).shape
    TensorShape([2, 2])
    """

    def __init__(
        self, units: int, *, n: int, vocabulary: int, buckets: int = 16381, dropout: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        sizes = {"units": units, "n": n, "vocabulary": vocabulary, "buckets": buckets}
        for name, size in sizes.items():
            if size < 1:
                raise InvalidInput(f"{name}={size} must be 1 or more.")
        if n > 1 and vocabulary * max(vocabulary, buckets) > 2**31:
            raise InvalidInput(
                f"Runs of vocabulary={vocabulary} tokens in buckets={buckets} overflow int32: the vocabulary times the "
                "larger of the two must be at most 2**31."
            )
        self.units, self.n, self.vocabulary, self.buckets, self.dropout = units, n, vocabulary, buckets, dropout
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        rows = [self.vocabulary, *(min(self.vocabulary**k, self.buckets) for k in range(2, self.n + 1))]
        self.kernels = [
            self.add_weight(shape=(size, self.units), initializer="zeros", name=f"kernel_{k}")
            for k, size in enumerate(rows, 1)
        ]

    def call(self, inputs, training=False):
        tokens = ops.pad(ops.cast(inputs, "int32"), [[0, 0], [0, 1]])
        text = ops.not_equal(tokens, 0)
        ended = ops.logical_or(text, ops.not_equal(_before(tokens), 0))
        runs, earlier, total = tokens, tokens, 0.0
        for k, kernel in enumerate(self.kernels, 1):
            if k > 1:
                earlier = _before(earlier)
                runs = ops.mod(runs * self.vocabulary + earlier, self.buckets)
            total = total + self._sum(kernel, runs, text if k == 1 else ended, training)
        return total

    def _sum(self, kernel: Any, runs: Any, counted: Any, training: bool) -> Any:
        kept = ops.expand_dims(ops.cast(counted, kernel.dtype), -1)
        scale = ops.rsqrt(ops.maximum(ops.sum(kept, 1), 1.0))
        if training and self.dropout:
            kept = keras.random.dropout(kept, self.dropout, seed=self.seed_generator)
        return scale * ops.sum(kept * ops.take(kernel, runs, axis=0), 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        names = ("units", "n", "vocabulary", "buckets", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _before(tokens: Any) -> Any:
    """tokens [B, T], each one step later; 0 before the first."""
    return ops.pad(tokens[:, :-1], [[0, 0], [1, 0]])
