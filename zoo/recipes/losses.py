"""What training minimises: `LOSSES` maps the name in a recipe to a function of the recipe; `keras.ops` only."""

from collections.abc import Callable, Sequence
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


class _FrameCrossEntropy(keras.losses.Loss):
    """Of integer targets [B, T] and logits [B, T, classes]: the mean over the classes of the mean over the frames of
    each class, so that rare ones count as much as common ones. Frames whose target is -1 do not count."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        targets = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)  # of -1: zeros
        frames = ops.sum(targets, (0, 1))
        weights = 1 / (ops.maximum(frames, 1) * ops.sum(ops.cast(frames > 0, y_pred.dtype)))
        found = -ops.sum(targets * weights * ops.log_softmax(y_pred), (1, 2))
        return found * ops.cast(ops.shape(y_pred)[0], y_pred.dtype)  # the loss is the mean over the batch


class _TokenCrossEntropy(keras.losses.Loss):
    """Of integer targets [B, T] and logits [B, T, classes], each target smoothed towards the uniform distribution: the
    mean over the steps of the batch whose target is not -1, whatever mask the logits carry. No one-hot targets, which
    would not fit into memory for a large vocabulary."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__(name="token_cross_entropy")
        self.label_smoothing = label_smoothing

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        tokens = ops.cast(y_true, "int32")
        known = ops.cast(tokens >= 0, y_pred.dtype)
        cost = keras.losses.sparse_categorical_crossentropy(ops.maximum(tokens, 0), y_pred, from_logits=True)
        if self.label_smoothing:
            uniform = ops.logsumexp(y_pred, -1) - ops.mean(y_pred, -1)
            cost = (1 - self.label_smoothing) * cost + self.label_smoothing * uniform
        return ops.sum(known * cost) / ops.maximum(ops.sum(known), 1)


def _cross_entropy(recipe: Recipe) -> keras.losses.Loss:
    return _CrossEntropy(recipe.label_smoothing)


def _mean_squared_error(recipe: Recipe) -> keras.losses.Loss:
    return keras.losses.MeanSquaredError()


def _frame_cross_entropy(recipe: Recipe) -> keras.losses.Loss:
    return _FrameCrossEntropy(name="frame_cross_entropy")


def _token_cross_entropy(recipe: Recipe) -> keras.losses.Loss:
    return _TokenCrossEntropy(recipe.label_smoothing)


def _ctc(recipe: Recipe) -> keras.losses.Loss:
    """Of strings [B, labels], zeros behind them, and logits [B, T, 1 + labels]; output 0 is the blank."""
    return keras.losses.CTC()


class _Pinball(keras.losses.Loss):
    """Of targets [B, horizon], negative where none was measured, and their quantiles [B, horizon, levels]."""

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__(name="pinball")
        self.levels = list(levels)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        error, level = ops.expand_dims(y_true, -1) - y_pred, ops.convert_to_tensor(self.levels, y_pred.dtype)
        loss = ops.mean(ops.maximum(level * error, (level - 1) * error), -1)
        return ops.where(y_true >= 0, loss, 0.0)


def _standardised_mse(recipe: Recipe) -> Any:
    """Output `forecast` is the same in other units."""
    return [None, keras.losses.MeanSquaredError()]


def _standardised_mae(recipe: Recipe) -> Any:
    return [None, keras.losses.MeanAbsoluteError()]


def _pinball(recipe: Recipe) -> keras.losses.Loss:
    return _Pinball(recipe.config["quantiles"])


def _anomaly_score(recipe: Recipe) -> Any:
    """The score of a normal example, whose target is 0; output `reconstruction` is a part of it."""
    return [keras.losses.MeanAbsoluteError(), None]


LOSSES: dict[str, Callable[[Recipe], Any]] = {
    "cross_entropy": _cross_entropy,
    "ctc": _ctc,
    "frame_cross_entropy": _frame_cross_entropy,
    "token_cross_entropy": _token_cross_entropy,
    "mean_squared_error": _mean_squared_error,
    "standardised_mse": _standardised_mse,
    "standardised_mae": _standardised_mae,
    "pinball": _pinball,
    "anomaly_score": _anomaly_score,
}


def build(recipe: Recipe) -> Any:
    """The loss of `recipe`. Raises UnknownName with the losses there are."""
    if recipe.loss not in LOSSES:
        raise unknown_name("loss", recipe.loss, LOSSES, f"The losses are {', '.join(LOSSES)}.")
    return LOSSES[recipe.loss](recipe)
