"""The dropout every gated cell shares: one mask a sequence for the input, one for the hidden state."""

import math
from typing import Any

import keras


def check_rate(name: str, rate: float) -> float:
    """`rate` itself, or ValueError: Keras would clamp 7.0 to 1.0 and train nothing."""
    if not (isinstance(rate, int | float) and math.isfinite(rate) and 0 <= rate < 1):
        raise ValueError(f"{name}={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1.")
    return rate


class SequenceDropout(keras.layers.Layer):
    """Mixed in before a Keras cell: drops the same inputs and hidden units at every step of a sequence.

    Source: Gal & Ghahramani 2016, arXiv:1512.05287.
    Differs from Keras, which draws a mask of its own for each gate once `recurrent_dropout` is set.
    """

    def __init__(self, units: int, *, dropout: float = 0.0, recurrent_dropout: float = 0.0, **kwargs: Any) -> None:
        check_rate("dropout", dropout), check_rate("recurrent_dropout", recurrent_dropout)
        super().__init__(units, dropout=dropout, recurrent_dropout=recurrent_dropout, **kwargs)
        self.dropout_mask_count = None

    def drop(self, x: Any, h: Any, training: bool) -> tuple[Any, Any]:
        if training and self.dropout:
            x = x * self.get_dropout_mask(x)
        if training and self.recurrent_dropout:
            h = h * self.get_recurrent_dropout_mask(h)
        return x, h
