"""One time step of each recurrence, one file a cell: equations, weights, `get_config`; and what any cell can take."""

from zoo.cells.chrono import ChronoBias
from zoo.cells.coupled_lstm import CoupledLSTMCell
from zoo.cells.gru import GRUCell
from zoo.cells.ind_rnn import IndRNNCell
from zoo.cells.layer_norm_gru import LayerNormGRUCell
from zoo.cells.layer_norm_lstm import LayerNormLSTMCell
from zoo.cells.lstm import LSTMCell
from zoo.cells.min_gru import MinGRUCell
from zoo.cells.min_lstm import MinLSTMCell
from zoo.cells.minimal_gated import MinimalGatedCell
from zoo.cells.peephole_lstm import PeepholeLSTMCell
from zoo.cells.projected_lstm import ProjectedLSTMCell
from zoo.cells.zoneout import ZoneoutCell

__all__ = [
    "ChronoBias",
    "CoupledLSTMCell",
    "GRUCell",
    "IndRNNCell",
    "LSTMCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "MinGRUCell",
    "MinLSTMCell",
    "MinimalGatedCell",
    "PeepholeLSTMCell",
    "ProjectedLSTMCell",
    "ZoneoutCell",
]
