"""How every published number was made: one file a recipe, one training loop for all (`training.py`)."""

from zoo.errors import unknown_name
from zoo.recipes import bilstm_har, gru_har, lstm_adding, lstm_har, simple_rnn_adding, stacked_lstm_har
from zoo.recipes.recipe import Recipe

__all__ = ["Recipe", "get", "names"]

_MODULES = (bilstm_har, gru_har, lstm_adding, lstm_har, simple_rnn_adding, stacked_lstm_har)
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
