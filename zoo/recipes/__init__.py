"""How every published number was made: one file a recipe, one training loop for all (`training.py`)."""

from zoo.errors import unknown_name
from zoo.recipes import (
    bilstm_ctc_fsdd,
    bilstm_ewt_pos,
    bilstm_fsdd,
    bilstm_har,
    bilstm_imdb,
    bilstm_names,
    bilstm_sst2,
    gru_attention_multi30k_de_en,
    gru_attention_multi30k_en_de,
    gru_etth1_96,
    gru_etth1_192,
    gru_etth1_336,
    gru_etth1_720,
    gru_ettm1_96,
    gru_fsdd,
    gru_har,
    gru_imdb,
    gru_quantile_pm25,
    gru_shakespeare,
    gru_smnist,
    gru_stream_kws,
    lstm_adding,
    lstm_autoencoder_ecg5000,
    lstm_etth1_96,
    lstm_fsdd,
    lstm_har,
    lstm_imdb,
    lstm_pmnist,
    lstm_ptb,
    lstm_shakespeare,
    lstm_stream_kws,
    simple_rnn_adding,
    stacked_lstm_fsdd,
    stacked_lstm_har,
    stacked_lstm_imdb,
)
from zoo.recipes.recipe import Recipe

__all__ = ["Recipe", "get", "names"]

_MODULES = (
    bilstm_ctc_fsdd,
    bilstm_ewt_pos,
    bilstm_fsdd,
    bilstm_har,
    bilstm_imdb,
    bilstm_names,
    bilstm_sst2,
    gru_attention_multi30k_de_en,
    gru_attention_multi30k_en_de,
    gru_etth1_192,
    gru_etth1_336,
    gru_etth1_720,
    gru_etth1_96,
    gru_ettm1_96,
    gru_fsdd,
    gru_har,
    gru_imdb,
    gru_quantile_pm25,
    gru_shakespeare,
    gru_smnist,
    gru_stream_kws,
    lstm_adding,
    lstm_autoencoder_ecg5000,
    lstm_etth1_96,
    lstm_fsdd,
    lstm_har,
    lstm_imdb,
    lstm_pmnist,
    lstm_ptb,
    lstm_shakespeare,
    lstm_stream_kws,
    simple_rnn_adding,
    stacked_lstm_fsdd,
    stacked_lstm_har,
    stacked_lstm_imdb,
)
_ALL = {module.RECIPE.name: module.RECIPE for module in _MODULES}


def names() -> list[str]:
    return sorted(_ALL)


def get(name: str) -> Recipe:
    """
    >>> get("gru.har").dataset
    'har'
    """
    if name not in _ALL:
        raise unknown_name("recipe", name, _ALL, f"The recipes are {', '.join(names())}.")
    return _ALL[name]
