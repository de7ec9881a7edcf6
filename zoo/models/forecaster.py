"""Forecaster of several series at once: history [B, look_back, C] -> forecast [B, horizon, C], both in the csv's units.

    z  = (x - mean) / deviation,  u = z - z_last       the model forecasts the change from the last row
    s  = relu(W_s u_segment)                           each column alone, `segment` rows a recurrent step
    h  = GRU(s_1, …, s_n)                              or LSTM
    y_k = W_y GRU(step = [position_k, column], state = h) + z_last     k = 1 … horizon / segment, all in parallel
    forecast = y · deviation + mean

Shapes: every column is a sequence of its own, so the recurrence runs on [B·C, look_back / segment, units], then on
[B·C·horizon / segment, 1, units]. Output `standardised` holds y: what is trained and scored.
Source:  SegRNN, Lin et al. 2023, arXiv:2308.11200.  Differs: units in and out of the model, fewer units.
"""

from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import ops

from zoo.errors import InvalidInput
from zoo.models.recurrence import GATED, require


@dataclass(frozen=True, kw_only=True)
class Config:
    """`columns` names the series; `mean` and `deviation` hold one number each, of the training rows, in its unit;
    `hours` is the time between two rows."""

    recurrence: Literal["lstm", "gru"]
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    hours: float
    look_back: int
    horizon: int
    segment: int
    units: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.recurrence)
        for name in ("mean", "deviation"):
            if len(getattr(self, name)) != len(self.columns):
                raise InvalidInput(f"{name}={list(getattr(self, name))} must hold one number for each column.")
        for name in ("look_back", "horizon"):
            if getattr(self, name) % self.segment:
                raise InvalidInput(f"{name}={getattr(self, name)} is no multiple of segment={self.segment}.")
        if self.units % 2:
            raise InvalidInput(f"units={self.units} must be even: half say where a segment is, half which column.")


class Places(keras.layers.Layer):
    """What the decoder is asked: [B, …] -> [B·C·K, 1, units], the position of a segment beside its column."""

    def __init__(self, columns: int, positions: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid = (columns, positions, units // 2)

    def build(self, input_shape: Any) -> None:
        columns, positions, half = self.grid
        start = keras.initializers.RandomNormal(stddev=1.0)  # as far apart as segments are, or they are told apart late
        self.position = self.add_weight(name="position", shape=(1, positions, half), initializer=start)
        self.column = self.add_weight(name="column", shape=(columns, 1, half), initializer=start.clone())

    def call(self, inputs: Any) -> Any:
        both = [ops.broadcast_to(weight, self.grid) for weight in (self.position, self.column)]
        table = ops.reshape(ops.concatenate(both, -1), (1, -1, 1, 2 * self.grid[-1]))
        every = ops.broadcast_to(table, (ops.shape(inputs)[0], *table.shape[1:]))
        return ops.reshape(every, (-1, 1, table.shape[-1]))


def build(config: Config) -> keras.Model:
    columns, positions = len(config.columns), config.horizon // config.segment
    scale, offset = zip(*((1 / d, -m / d) for m, d in zip(config.mean, config.deviation, strict=True)), strict=True)
    # Layers
    recurrent = GATED[config.recurrence](config.units, return_state=True, name=config.recurrence)
    embed = keras.layers.Dense(config.units, activation="relu", name="segment_in")
    # Functional model
    history = keras.Input((config.look_back, columns), name="history")
    standardised = keras.layers.Rescaling(list(scale), list(offset), name="standardise")(history)
    last = standardised[:, -1:]
    segments = ops.reshape(
        ops.transpose(standardised - last, (0, 2, 1)), (-1, config.look_back // config.segment, config.segment)
    )
    _, *states = recurrent(embed(segments))
    states = [ops.reshape(keras.layers.RepeatVector(positions)(state), (-1, config.units)) for state in states]
    decoded, *_ = recurrent(Places(columns, positions, config.units, name="places")(history), initial_state=states)
    decoded = keras.layers.Dropout(config.dropout, name="dropout")(decoded)
    change = ops.reshape(keras.layers.Dense(config.segment, name="segment_out")(decoded), (-1, columns, config.horizon))
    output = keras.layers.Add(name="standardised")([ops.transpose(change, (0, 2, 1)), last])
    forecast = keras.layers.Rescaling(list(config.deviation), list(config.mean), name="forecast")(output)
    return keras.Model(history, [forecast, output], name="forecaster")
