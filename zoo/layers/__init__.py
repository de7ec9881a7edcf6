"""Whole sequences [batch, time, features], built from the cells."""

from zoo.layers.attention import DotAttention
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.checkpointed import Checkpointed
from zoo.layers.family import (
    CoupledLSTM,
    IndRNN,
    LayerNormGRU,
    LayerNormLSTM,
    MinimalGated,
    PeepholeLSTM,
    ProjectedLSTM,
)
from zoo.layers.minimal import MinGRU, MinLSTM
from zoo.layers.ngrams import NGrams
from zoo.layers.recurrent import GRU, LSTM
from zoo.layers.residual import ResidualStack
from zoo.layers.rnn import RNN
from zoo.layers.tied_embedding import TiedEmbedding
from zoo.layers.weight_drop import WeightDrop

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "Checkpointed",
    "CoupledLSTM",
    "DotAttention",
    "IndRNN",
    "LayerNormGRU",
    "LayerNormLSTM",
    "MinGRU",
    "MinLSTM",
    "MinimalGated",
    "NGrams",
    "PeepholeLSTM",
    "ProjectedLSTM",
    "ResidualStack",
    "TiedEmbedding",
    "WeightDrop",
]
