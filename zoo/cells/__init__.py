"""One time step of each recurrence, one file a cell: equations, weights, `get_config`."""

from zoo.cells.gru import GRUCell
from zoo.cells.lstm import LSTMCell

__all__ = ["GRUCell", "LSTMCell"]
