"""lstm_stream.kws: one LSTM layer spots yes, no, up and down in a stream of packets of 20 ms."""

from zoo.recipes import kws

RECIPE = kws.recipe(
    "lstm_stream.kws",
    "An LSTM spots yes, no, up and down in a stream of 20 ms packets, as they are said.",
    {"recurrence": "lstm", "units": [72]},
)
