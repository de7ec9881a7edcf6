"""The execution paths of a recurrent layer and the rules that make each one eligible: one place, one wording.

    cell    our cell, step by step: every backend, every variant; the reference
    cudnn   cuDNN through the Keras backend: a GPU and the rules below

A further path is one more function in `_RULES` and one branch in `recurrent.py`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from zoo.errors import PathNotEligible

PATHS = ("auto", "cell", "cudnn")


def check_path(path: str) -> str:
    """`path` itself. Raises PathNotEligible if there is none of that name."""
    if path not in PATHS:
        raise PathNotEligible(f"Unknown path {path!r}; use one of {', '.join(map(repr, PATHS))}.")
    return path


def broken_rule(path: str, layer: Any) -> str | None:
    """The first rule of `path` that `layer` breaks, as text with the value that breaks it; None if eligible."""
    return next(_RULES[path](layer), None)


def require(path: str, layer: Any) -> None:
    """Raises PathNotEligible with the first rule of `path` that `layer` breaks."""
    rule = broken_rule(path, layer)
    if rule is not None:
        raise PathNotEligible(
            f"Layer {layer.name!r} cannot run path={path!r}: {rule}. Change that, or use path='auto' or path='cell'."
        )


def _no_rules(layer: Any) -> Iterator[str]:
    return iter(())


def _cudnn_rules(layer: Any) -> Iterator[str]:
    cell = layer.cell
    if cell.activation not in (keras.activations.tanh, keras.ops.tanh):
        yield f"activation must be tanh, not {_name(cell.activation)}"
    if cell.recurrent_activation not in (keras.activations.sigmoid, keras.ops.sigmoid):
        yield f"recurrent_activation must be sigmoid, not {_name(cell.recurrent_activation)}"
    if cell.recurrent_dropout:
        yield f"recurrent_dropout must be 0, not {cell.recurrent_dropout}"
    if layer.unroll:
        yield "unroll must be False"
    if not cell.use_bias:
        yield "use_bias must be True"
    if not getattr(cell, "reset_after", True):
        yield "reset_after must be True"
    if not gpu_is_there():
        yield f"no GPU is visible to the {keras.backend.backend()} backend"


_RULES: dict[str, Callable[[Any], Iterator[str]]] = {"cell": _no_rules, "cudnn": _cudnn_rules}


def right_padded(mask: Any) -> bool:
    """Whether an eager boolean mask [B, T] is True up to some step and False after it, in every row."""
    mask = keras.ops.convert_to_numpy(mask)
    return not (mask[:, 1:] & ~mask[:, :-1]).any()


def gpu_is_there() -> bool:
    """Whether the Keras backend at hand sees a GPU that cuDNN runs on."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))
    if backend == "torch":
        import torch

        return torch.cuda.is_available() and torch.backends.cudnn.is_available()
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    return False


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))
