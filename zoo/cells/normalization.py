"""Layer normalisation of one vector an example, as the layer-normalised cells use it."""

from typing import Any

from keras import ops

from zoo.errors import InvalidInput


def normalized(x: Any, gain: Any, epsilon: float) -> Any:
    """gain * (x - mean) / sqrt(variance + epsilon) over the last axis, in float32 at least: halves overflow."""
    wide = ops.cast(x, "float32") if x.dtype in ("float16", "bfloat16") else x
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return gain * ops.cast(centred * ops.rsqrt(variance + epsilon), x.dtype)


def check_epsilon(epsilon: float) -> float:
    """`epsilon` itself. Raises ValueError unless it is above 0: a constant vector has variance 0."""
    if not epsilon > 0:
        raise InvalidInput(f"epsilon={epsilon!r} divides by zero where all units agree: give a number above 0.")
    return epsilon
