"""Whole sequences [batch, time, features], built from the cells."""

from zoo.layers.recurrent import GRU, LSTM

__all__ = ["GRU", "LSTM"]
