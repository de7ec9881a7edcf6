"""Quantile forecaster of a concentration: history [B, look_back, features] -> quantiles [B, horizon, 3].

    l  = (log(1 + c) - mean) / deviation,  o = 1      where the concentration c was measured
    l  = 0,  o = 0                                    where it was not (c < 0)
    h  = dropout(GRU([l, o, weather]))
    m_k, a_k, b_k = W [h, x_last]                     for each of the `horizon` hours ahead
    quantiles = m_k - p(a_k) u_k,  m_k,  m_k + p(b_k) v_k        p(a) = 1 + elu(a) > 0, so they never cross
    forecast  = exp(quantiles · deviation + mean) - 1                          in the unit of c, 0 to 2,980

Feature 0 of the history is the concentration, negative where it was not measured; the others are standardised by a
`Normalization`. u and v [horizon] are 1 while training; the recipe sets them so that on the validation split as many
values as promised lie below and above (conformalised quantile regression, Romano et al. 2019, arXiv:1905.03222, here
by a factor, one for each side and hour).
"""

from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import ops

from zoo.errors import InvalidInput
from zoo.models.recurrence import GATED, require

CEILING = 8.0  # of log(1 + c): no forecast exceeds 2,980, which keeps the exponential finite whatever comes in


@dataclass(frozen=True, kw_only=True)
class Config:
    """`columns` names what a csv must hold, `mean` and `deviation` are those of log(1 + c) where it was measured."""

    recurrence: Literal["lstm", "gru"]
    columns: tuple[str, ...]
    features: int
    mean: float
    deviation: float
    hours: float
    look_back: int
    horizon: int
    units: int
    quantiles: tuple[float, float, float]
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.recurrence)
        low, middle, high = self.quantiles
        if not 0 < low < middle < high < 1:
            raise InvalidInput(f"quantiles={list(self.quantiles)} must rise from above 0 to below 1.")


class Interval(keras.layers.Layer):
    """middle and the two raw distances [B, horizon, 3] -> quantiles [B, horizon, 3] in rising order."""

    def build(self, input_shape: Any) -> None:
        weights = [
            self.add_weight(name=name, shape=(input_shape[1],), initializer="ones", trainable=False)
            for name in ("below", "above")
        ]
        self.below, self.above = weights

    def call(self, inputs: Any) -> Any:
        middle, below, above = ops.unstack(inputs, 3, -1)
        return ops.stack(
            [middle - (1 + ops.elu(below)) * self.below, middle, middle + (1 + ops.elu(above)) * self.above], -1
        )


def build(config: Config) -> keras.Model:
    # Layers
    recurrent = GATED[config.recurrence](config.units, name=config.recurrence)
    # Functional model
    history = keras.Input((config.look_back, config.features), name="history")
    concentration = history[..., :1]
    measured = ops.cast(concentration >= 0, "float32")
    level = (ops.log(ops.relu(concentration) + 1.0) - config.mean) / config.deviation * measured
    weather = keras.layers.Normalization(name="normalization")(history)[..., 1:]
    x = keras.layers.Concatenate(name="seen")([level, measured, weather])
    state = keras.layers.Dropout(config.dropout, name="dropout")(recurrent(x))
    both = keras.layers.Concatenate(name="state_and_last")([state, x[:, -1]])
    distances = keras.layers.Reshape((config.horizon, 3))(keras.layers.Dense(3 * config.horizon, name="head")(both))
    logarithm = Interval(name="interval")(distances) * config.deviation + config.mean
    quantiles = keras.layers.ReLU(name="quantiles")(ops.exp(ops.minimum(logarithm, CEILING)) - 1.0)
    return keras.Model(history, quantiles, name="quantile_forecaster")
