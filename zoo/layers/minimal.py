"""`MinGRU` and `MinLSTM`: layers that train on all steps of a sequence at once."""

from typing import Any, ClassVar

import keras
from keras import ops

from zoo import cells
from zoo.cells.linear import LinearCell
from zoo.layers.rnn import CellLayer
from zoo.layers.scan import linear_scan


class ScannedLayer(CellLayer):
    """A layer of a linear cell: its sequence is one parallel scan, of whatever length; `unroll` changes nothing."""

    cell_type: ClassVar[type[LinearCell]]
    cell: LinearCell

    def inner_loop(self, sequences, initial_state, mask, training=False):
        keep, write = self.cell.coefficients(self.cell.project(sequences, training))
        valid = None if mask is None else ops.cast(keras.tree.flatten(mask)[0], "bool")[:, :, None]
        if self.go_backwards:
            keep, write = ops.flip(keep, axis=1), ops.flip(write, axis=1)
            valid = None if valid is None else ops.flip(valid, axis=1)
        if valid is not None:
            keep, write = ops.where(valid, keep, 1), ops.where(valid, write, 0)
        states = self._scanned(keep, write, keras.tree.flatten(initial_state)[0])
        outputs = states if valid is None else self._masked(states, valid)
        return outputs[:, -1], outputs, [states[:, -1]]

    def _scanned(self, keep: Any, write: Any, h: Any) -> Any:
        """In float32 where the layer computes in halves: a long product of them loses too much."""
        dtype = "float32" if keep.dtype in ("float16", "bfloat16") else keep.dtype
        keep, write, h = (ops.cast(x, dtype) for x in (keep, write, h))
        first = keep[:, :1] * h[:, None] + write[:, :1]
        return ops.cast(linear_scan(keep, ops.concatenate([first, write[:, 1:]], axis=1)), self.compute_dtype)

    def _masked(self, states: Any, valid: Any) -> Any:
        """Zeros at a masked step, or, as in Keras' loop, only at those before the first valid one."""
        seen = valid if self.zero_output_for_mask else ops.cumsum(ops.cast(valid, "int32"), axis=1) > 0
        return ops.where(seen, states, 0)


@keras.saving.register_keras_serializable(package="zoo")
class MinGRU(ScannedLayer):
    """A minGRU trained by a parallel scan: `zoo.cells.MinGRUCell` over a sequence.

    >>> import numpy as np
    >>> MinGRU(8, return_sequences=True)(np.zeros((2, 1000, 3), "float32")).shape
    TensorShape([2, 1000, 8])
    """

    cell_type = cells.MinGRUCell


@keras.saving.register_keras_serializable(package="zoo")
class MinLSTM(ScannedLayer):
    """A minLSTM trained by a parallel scan: `zoo.cells.MinLSTMCell` over a sequence.

    >>> import numpy as np
    >>> MinLSTM(8)(np.zeros((2, 1000, 3), "float32")).shape
    TensorShape([2, 8])
    """

    cell_type = cells.MinLSTMCell
