"""`LSTM` and `GRU`: Keras' layers, argument for argument, around our cells, with a `path` of execution one can name."""

from collections.abc import Sequence
from typing import Any

import keras

from zoo.cells import GRUCell, LSTMCell
from zoo.cells.dropout import check_rate
from zoo.errors import PathNotEligible
from zoo.layers import paths
from zoo.layers.rnn import require_fit

_CELL_ARGUMENTS = [
    "activation",
    "recurrent_activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "seed",
]
_USE_CUDNN = {"cell": False, "fused": False, "cudnn": True}


class _Pathed(keras.layers.RNN):
    """What `LSTM` and `GRU` add to their Keras base: our cell in place of Keras', and `path`."""

    cell: Any
    use_cudnn: bool | str

    def _take_path(self, path: str, cell_type: type[keras.layers.Layer], *more_arguments: str) -> None:
        self.execution_path = paths.check_path(path)
        self.use_cudnn = _USE_CUDNN.get(path, self.use_cudnn)
        theirs = self.cell
        self._tracker.untrack(theirs)  # neither deleting nor replacing it does: the layer would hold both cells
        del self.cell
        self.cell = cell_type(
            theirs.units,
            **{name: getattr(theirs, name) for name in (*_CELL_ARGUMENTS, *more_arguments)},
            dtype=theirs.dtype_policy,
            trainable=theirs.trainable,
            name=theirs.name,
        )

    def explain_path(self, batch_shape: Sequence[int | None]) -> paths.Explanation:
        """Which paths can run an input [B, T, D], by which rule the others cannot, and which one runs in training.

        >>> explanation = LSTM(8, recurrent_dropout=0.2).explain_path((32, 100, 64))
        >>> print(explanation.verdicts[1])
        fused: no, recurrent_dropout must be 0, not 0.2
        >>> explanation.runs
        'cell'
        """
        return paths.explain(self, batch_shape)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        paths.require("cell" if self.execution_path == "auto" else self.execution_path, self)
        super().build(sequences_shape, initial_state_shape)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        require_fit(self, sequences, initial_state, mask)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        mask = keras.tree.flatten(mask)[0]  # nested where states are inputs of the model
        path = paths.chosen(self, training)
        if path == "fused":
            return self._fused_loop(sequences, initial_state, mask, training)
        if path == "cudnn":
            self._require_fit_for_cudnn(mask)
        return super().inner_loop(sequences, initial_state, mask, training=training)

    def _fused_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool) -> Any:
        from zoo.layers import fused  # needs TensorFlow

        x, cell = keras.ops.convert_to_tensor(sequences), self.cell
        if training and cell.dropout:
            x = x * cell.get_dropout_mask(x[:, 0])[:, None]
        if self.go_backwards:
            x, mask = keras.ops.flip(x, 1), None if mask is None else keras.ops.flip(mask, 1)
        weights = cell.kernel, cell.recurrent_kernel, cell.bias if cell.use_bias else fused.no_bias(cell)
        output, states = fused.run(
            fused.kernel(cell),
            x,
            keras.tree.flatten(initial_state),
            weights,
            mask,
            sequences=self.return_sequences,
            zero_masked=self.zero_output_for_mask,
        )
        return (output[:, -1], output, states) if self.return_sequences else (output, output[:, None], states)

    def _require_fit_for_cudnn(self, mask: Any) -> None:
        backend = keras.backend.backend()
        if mask is None:
            return
        if backend != "tensorflow":
            rule = f"cuDNN takes no mask on the {backend} backend"
        elif is_eager(mask) and not paths.right_padded(mask):
            rule = "the mask must be right-padded (True up to the length, False after it) in every row"
        else:
            return
        raise PathNotEligible(
            f"Layer {self.name!r} cannot run path='cudnn': {rule}. Change that, or use path='auto' or path='cell'."
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "path": self.execution_path}


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(_Pathed, keras.layers.LSTM):
    """A long short-term memory over a sequence: x [B, T, D] -> [B, H], or [B, T, H] with `return_sequences`.

    Takes every argument of `keras.layers.LSTM` and behaves as it does: weights, masking, states, `Bidirectional`,
    serialisation. The step is `zoo.cells.LSTMCell`.

    path:   "auto"   the fastest eligible path (the default); outside training never "fused", which only XLA can run
                     and which has no second derivatives: a gradient penalty needs "cell"
            "cell"   our cell, step by step, on every backend
            "fused"  the whole sequence with hand-derived backpropagation, compiled once a shape: TensorFlow on CPU
            "cudnn"  cuDNN through the Keras backend
            `explain_path(batch_shape)` says which of them can run and why the others cannot.
    Raises: PathNotEligible when a path was asked for and one of its rules is broken, with that rule; InvalidInput for
            no time step, a mask of another shape than [B, T], and states of another number or shape.

    >>> import numpy as np
    >>> LSTM(8, return_sequences=True)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 8])
    """

    def __init__(self, units: int, *args: Any, path: str = "auto", **kwargs: Any) -> None:
        for name in ("dropout", "recurrent_dropout"):
            check_rate(name, kwargs.get(name, 0.0))
        super().__init__(units, *args, **kwargs)
        self._take_path(path, LSTMCell, "unit_forget_bias")


@keras.saving.register_keras_serializable(package="zoo")
class GRU(_Pathed, keras.layers.GRU):
    """A gated recurrent unit over a sequence: x [B, T, D] -> [B, H], or [B, T, H] with `return_sequences`.

    Takes every argument of `keras.layers.GRU` and behaves as it does. The step is `zoo.cells.GRUCell`;
    `path` is that of `zoo.layers.LSTM`, where cuDNN also needs `reset_after=True`.

    >>> import numpy as np
    >>> GRU(8)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    def __init__(self, units: int, *args: Any, path: str = "auto", **kwargs: Any) -> None:
        for name in ("dropout", "recurrent_dropout"):
            check_rate(name, kwargs.get(name, 0.0))
        super().__init__(units, *args, **kwargs)
        self._take_path(path, GRUCell, "reset_after")


def is_eager(tensor: Any) -> bool:
    """Whether the values can be read now: a symbolic or traced mask is checked by the cuDNN kernel's own assertion."""
    try:
        keras.ops.convert_to_numpy(tensor)
    except Exception:  # each backend has an exception of its own for a traced tensor
        return False
    return True
