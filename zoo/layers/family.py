"""The variants of LSTM and GRU as layers, one a cell: x [B, T, D] -> [B, H], or [B, T, H] with `return_sequences`.

Each takes the arguments of its cell and those of `keras.layers.RNN`, and behaves as `keras.layers.LSTM` does: masks,
states, `go_backwards`, `stateful`, `Bidirectional`, serialisation. Equations, weights and sources stand with the cells.
"""

import keras

from zoo import cells
from zoo.layers.rnn import CellLayer


@keras.saving.register_keras_serializable(package="zoo")
class LayerNormLSTM(CellLayer):
    """An LSTM whose gates and cell state are layer-normalised: `zoo.cells.LayerNormLSTMCell` over a sequence.

    >>> import numpy as np
    >>> LayerNormLSTM(8, return_sequences=True)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 8])
    """

    cell_type = cells.LayerNormLSTMCell


@keras.saving.register_keras_serializable(package="zoo")
class LayerNormGRU(CellLayer):
    """A GRU whose gates and candidate are layer-normalised: `zoo.cells.LayerNormGRUCell` over a sequence.

    >>> import numpy as np
    >>> LayerNormGRU(8)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    cell_type = cells.LayerNormGRUCell


@keras.saving.register_keras_serializable(package="zoo")
class PeepholeLSTM(CellLayer):
    """An LSTM whose gates see the cell state: `zoo.cells.PeepholeLSTMCell` over a sequence.

    >>> import numpy as np
    >>> output, h, c = PeepholeLSTM(8, return_state=True)(np.zeros((2, 5, 3), "float32"))
    >>> output.shape, c.shape
    (TensorShape([2, 8]), TensorShape([2, 8]))
    """

    cell_type = cells.PeepholeLSTMCell


@keras.saving.register_keras_serializable(package="zoo")
class CoupledLSTM(CellLayer):
    """An LSTM that forgets as much as it takes in, with three gates: `zoo.cells.CoupledLSTMCell` over a sequence.

    >>> import numpy as np
    >>> CoupledLSTM(8)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    cell_type = cells.CoupledLSTMCell


@keras.saving.register_keras_serializable(package="zoo")
class ProjectedLSTM(CellLayer):
    """An LSTM with a hidden state of `projection_units`: `zoo.cells.ProjectedLSTMCell` over a sequence.

    >>> import numpy as np
    >>> output, h, c = ProjectedLSTM(8, projection_units=3, return_state=True)(np.zeros((2, 5, 4), "float32"))
    >>> output.shape, h.shape, c.shape
    (TensorShape([2, 3]), TensorShape([2, 3]), TensorShape([2, 8]))
    """

    cell_type = cells.ProjectedLSTMCell


@keras.saving.register_keras_serializable(package="zoo")
class MinimalGated(CellLayer):
    """A GRU with one gate: `zoo.cells.MinimalGatedCell` over a sequence.

    >>> import numpy as np
    >>> MinimalGated(8)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    cell_type = cells.MinimalGatedCell


@keras.saving.register_keras_serializable(package="zoo")
class IndRNN(CellLayer):
    """A recurrent layer whose units do not see each other: `zoo.cells.IndRNNCell` over a sequence.

    >>> import numpy as np
    >>> IndRNN(8)(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    cell_type = cells.IndRNNCell
