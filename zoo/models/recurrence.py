"""The recurrent layer that a config names."""

from collections.abc import Mapping
from typing import Any

import keras

from zoo.errors import InvalidInput
from zoo.layers import GRU, LSTM

GATED: Mapping[str, Any] = {"lstm": LSTM, "gru": GRU}
LAYERS: Mapping[str, Any] = {**GATED, "simple_rnn": keras.layers.SimpleRNN}


def require(recurrence: str, layers: Mapping[str, Any] = GATED) -> None:
    """Raises InvalidInput if `layers` has none of that name."""
    if recurrence not in layers:
        raise InvalidInput(f"recurrence={recurrence!r} is unknown; use one of {', '.join(layers)}.")
