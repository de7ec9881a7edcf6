"""How every published number was made: one file a recipe, one training loop for all (`training.py`).

The recipe `architecture.tag` is `RECIPE` of the module `architecture_tag`, imported when it is asked for.
"""

import importlib

from zoo.errors import unknown_name
from zoo.recipes.recipe import Recipe

__all__ = ["Recipe", "get", "names"]

_NAMES = (
    "bilstm.ewt_pos",
    "bilstm.fsdd",
    "bilstm.har",
    "bilstm.imdb",
    "bilstm.names",
    "bilstm.sst2",
    "bilstm_ctc.fsdd",
    "gru.etth1_192",
    "gru.etth1_336",
    "gru.etth1_720",
    "gru.etth1_96",
    "gru.ettm1_96",
    "gru.fsdd",
    "gru.har",
    "gru.imdb",
    "gru.shakespeare",
    "gru.smnist",
    "gru_attention.multi30k_de_en",
    "gru_attention.multi30k_en_de",
    "gru_quantile.pm25",
    "gru_stream.kws",
    "lstm.adding",
    "lstm.etth1_96",
    "lstm.fsdd",
    "lstm.har",
    "lstm.imdb",
    "lstm.pmnist",
    "lstm.ptb",
    "lstm.shakespeare",
    "lstm_autoencoder.ecg5000",
    "lstm_stream.kws",
    "minilm.sst2",
    "simple_rnn.adding",
    "stacked_lstm.fsdd",
    "stacked_lstm.har",
    "stacked_lstm.imdb",
)


def names() -> list[str]:
    return list(_NAMES)


def get(name: str) -> Recipe:
    """
    >>> get("gru.har").dataset
    'har'
    """
    if name not in _NAMES:
        raise unknown_name("recipe", name, _NAMES, f"The recipes are {', '.join(_NAMES)}.")
    recipe: Recipe = importlib.import_module(f"zoo.recipes.{name.replace('.', '_')}").RECIPE
    return recipe
