"""What training minimises: `LOSSES` maps the name in a recipe to a function of the recipe; `keras.ops` only."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo.errors import unknown_name
from zoo.recipes.recipe import Recipe


class _CrossEntropy(keras.losses.Loss):
    """Of integer targets [B, …] and logits [B, …, classes], each target smoothed towards the uniform distribution."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__(name="cross_entropy")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        targets = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(
            targets, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )


def _cross_entropy(recipe: Recipe) -> keras.losses.Loss:
    return _CrossEntropy(recipe.label_smoothing)


def _mean_squared_error(recipe: Recipe) -> keras.losses.Loss:
    return keras.losses.MeanSquaredError()


LOSSES: dict[str, Callable[[Recipe], Any]] = {
    "cross_entropy": _cross_entropy,
    "mean_squared_error": _mean_squared_error,
}


def build(recipe: Recipe) -> Any:
    """The loss of `recipe`. Raises UnknownName with the losses there are."""
    if recipe.loss not in LOSSES:
        raise unknown_name("loss", recipe.loss, LOSSES, f"The losses are {', '.join(LOSSES)}.")
    return LOSSES[recipe.loss](recipe)
