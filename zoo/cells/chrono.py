import math
from typing import Any

import keras
from keras import ops

from zoo.errors import InvalidInput

_ROLES = {  # of each gate: "+" keeps the state, "-" writes into it, "0" does neither; the gates in the cell's order
    "lstm": "-+00",
    "gru": "+00",
    "coupled_lstm": "-00",
    "minimal_gated": "-0",
    "min_gru": "-0",
    "min_lstm": "+-0",
}


@keras.saving.register_keras_serializable(package="zoo")
class ChronoBias(keras.initializers.Initializer):
    """Gate biases with which units remember for 1 to `longest` steps: a `bias_initializer` for any gated layer.

        u ~ Uniform(1, longest - 1)         the time scale of a unit
        log u      for a gate that keeps the state: the forget gate of an LSTM, z of a Keras GRU
        -log u     for a gate that writes into it: the input gate of an LSTM
        0          for all others

    longest:  the longest dependency in the data, in steps, at least 3.
    units:    H of the layer, to which the shape of the bias is held.
    gates:    "lstm" (also layer-normalised, peephole, projected), "gru" (with `reset_after` or without, also
              layer-normalised: the recurrent bias stays 0), "coupled_lstm", "minimal_gated", "min_gru", "min_lstm".
    Shapes:   bias [G H], or [2, G H] for a GRU with two biases.
    Raises:   InvalidInput for `longest` < 3, unknown `gates`, and a bias of another shape. An LSTM needs
              `unit_forget_bias=False`, or Keras asks for the bias in pieces and sets the forget gate's itself.
    Source:   Tallec & Ollivier 2018, arXiv:1804.11188, section 2.2.  Differs: none; the other cells follow their gates.

    >>> LSTM = keras.layers.LSTM
    >>> layer = LSTM(2, bias_initializer=ChronoBias(600, units=2, seed=0), unit_forget_bias=False)
    >>> layer.build((None, None, 3))
    >>> i, f, g, o = ops.split(layer.cell.bias, 4)
    >>> bool(ops.all(f > 0)), bool(ops.all(i == -f)), bool(ops.all(o == 0))
    (True, True, True)
    """

    def __init__(self, longest: float, units: int, gates: str = "lstm", seed: int | None = None) -> None:
        if gates not in _ROLES:
            raise InvalidInput(f"gates={gates!r} names no cell: use one of {', '.join(map(repr, _ROLES))}.")
        if not 3 <= longest < math.inf:
            raise InvalidInput(f"longest={longest!r} is no number of steps to spread time scales over: give 3 or more.")
        self.longest, self.units, self.gates, self.seed = longest, units, gates, seed
        self._scales = keras.initializers.RandomUniform(1.0, longest - 1.0, seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        bias = self._bias(dtype)
        if tuple(shape) == bias.shape:
            return bias
        if self.gates == "gru" and tuple(shape) == (2, *bias.shape):
            return ops.stack([bias, ops.zeros_like(bias)])
        remedy = "pass unit_forget_bias=False" if "lstm" in self.gates else "give the units and gates of the layer"
        raise InvalidInput(
            f"ChronoBias for {self.units} units of {self.gates!r} makes a bias of shape {list(bias.shape)}, "
            f"not {list(shape)}: {remedy}."
        )

    def _bias(self, dtype: Any) -> Any:
        log_scale = ops.log(self._scales((self.units,), dtype=dtype))
        signs = {"+": 1.0, "-": -1.0, "0": 0.0}
        return ops.concatenate([signs[role] * log_scale for role in _ROLES[self.gates]])

    def get_config(self) -> dict[str, Any]:
        return {"longest": self.longest, "units": self.units, "gates": self.gates, "seed": self.seed}
