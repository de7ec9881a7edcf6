"""The execution paths of a recurrent layer and the rules that make each one eligible: one place, one wording.

    cell    our cell, step by step: every backend, every variant; the reference
    fused   the whole sequence with hand-derived backpropagation, compiled by XLA: TensorFlow on CPU
    cudnn   cuDNN through the Keras backend: a GPU and the rules below

A further path is one more function in `_RULES` and one branch in `recurrent.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from zoo.cells import GRUCell, LSTMCell
from zoo.errors import InvalidInput, PathNotEligible

PATHS = ("auto", "cell", "fused", "cudnn")


@dataclass(frozen=True)
class Verdict:
    """Whether a layer can run a path: `broken` holds every rule it breaks, with the value that breaks it."""

    path: str
    broken: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: no, {' and '.join(self.broken)}" if self.broken else f"{self.path}: yes"


@dataclass(frozen=True)
class Explanation:
    """The verdict on every path, the path the layer asks for, and the one that runs when it trains."""

    verdicts: tuple[Verdict, ...]
    asked: str
    runs: str

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.verdicts))}; {self.asked} runs {self.runs}"


def explain(layer: Any, batch_shape: Sequence[int | None]) -> Explanation:
    """Every path's verdict on `layer` for an input [B, T, D], and what runs. Raises InvalidInput for another shape."""
    if len(batch_shape) != 3 or any(size is not None and size < 1 for size in batch_shape):
        raise InvalidInput(
            f"Batch shape {list(batch_shape)} is not one of sequences: give [batch, steps, features], each 1 or more, "
            "or None where it is free."
        )
    verdicts = tuple(Verdict(path, tuple(_RULES[path](layer))) for path in ("cudnn", "fused", "cell"))
    eligible = [verdict.path for verdict in verdicts if not verdict.broken]
    asked = layer.execution_path
    if asked == "auto":
        return Explanation(verdicts, asked, eligible[0])
    return Explanation(verdicts, asked, asked if asked in eligible else "nothing: it raises")


def chosen(layer: Any, training: bool) -> str:
    """The path that runs a call now: the one asked for, or the fastest eligible one.

    Outside training `auto` leaves the fused kernels alone: such a graph may be on its way into a file, which must run
    where XLA does not, and a single answer should not wait a second for a compilation.
    """
    if layer.execution_path == "auto" and training and broken_rule("fused", layer) is None:
        return "fused"
    return str(layer.execution_path)  # on "auto" Keras picks cuDNN itself where it is there


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


def _gate_rules(layer: Any) -> Iterator[str]:
    """What the fast paths ask for alike: their equations are written out."""
    cell = layer.cell
    if cell.activation not in (keras.activations.tanh, keras.ops.tanh):
        yield f"activation must be tanh, not {_name(cell.activation)}"
    if cell.recurrent_activation not in (keras.activations.sigmoid, keras.ops.sigmoid):
        yield f"recurrent_activation must be sigmoid, not {_name(cell.recurrent_activation)}"
    if cell.recurrent_dropout:
        yield f"recurrent_dropout must be 0, not {cell.recurrent_dropout}"
    if layer.unroll:
        yield "unroll must be False"


def _cudnn_rules(layer: Any) -> Iterator[str]:
    yield from _gate_rules(layer)
    if not layer.cell.use_bias:
        yield "use_bias must be True"
    if not getattr(layer.cell, "reset_after", True):
        yield "reset_after must be True"
    if layer.compute_dtype not in _CUDNN_DTYPES:
        yield f"the compute dtype must be {' or '.join(_CUDNN_DTYPES)}, not {layer.compute_dtype}"
    if isinstance(layer.cell, GRUCell) and keras.backend.backend() == "jax":
        yield "Keras has no cuDNN GRU on the jax backend"
    if not gpu_is_there():
        yield f"no GPU is visible to the {keras.backend.backend()} backend"


def _fused_rules(layer: Any) -> Iterator[str]:
    yield from _gate_rules(layer)
    if type(layer.cell).call not in (LSTMCell.call, GRUCell.call):
        yield f"the cell must be LSTMCell or GRUCell, not {type(layer.cell).__name__}"
    if layer.compute_dtype not in _FUSED_DTYPES:
        yield f"the compute dtype must be {' or '.join(_FUSED_DTYPES)}, not {layer.compute_dtype}"
    if keras.backend.backend() != "tensorflow":
        yield f"the backend must be tensorflow, not {keras.backend.backend()}"
    elif gpu_is_there():
        yield "a GPU is visible, and the kernels are for the CPU"


_CUDNN_DTYPES = ("float16", "float32")
_FUSED_DTYPES = ("float16", "bfloat16", "float32", "float64")
_RULES: dict[str, Callable[[Any], Iterator[str]]] = {"cell": _no_rules, "fused": _fused_rules, "cudnn": _cudnn_rules}


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
