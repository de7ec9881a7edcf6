"""The answer of a connectionist temporal classifier where there is nothing to hear."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class BlankSilence(keras.layers.Layer):
    """logits [B, T, 1 + labels] -> the same, but at masked steps ±`certain`: output 0, the blank, for certain.

    So a clip reads the same whatever number of masked steps follow it: each adds a factor of 1 to every path.
    """

    def __init__(self, certain: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.certain = certain
        self.supports_masking = True

    def call(self, logits: Any, mask: Any = None) -> Any:
        if mask is None:
            return logits
        is_blank = ops.cast(ops.arange(logits.shape[-1]) == 0, logits.dtype)
        return ops.where(ops.expand_dims(mask, -1), logits, self.certain * (2 * is_blank - 1))

    def compute_mask(self, logits: Any, mask: Any = None) -> None:
        """None: every step of the answer counts."""

    def compute_output_shape(self, logits_shape: Any) -> Any:
        return logits_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"certain": self.certain}
