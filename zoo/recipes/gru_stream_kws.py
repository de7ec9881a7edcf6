"""gru_stream.kws: one GRU layer spots yes, no, up and down in a stream of packets of 20 ms."""

from zoo.recipes import kws

RECIPE = kws.recipe(
    "gru_stream.kws",
    "A GRU spots yes, no, up and down in a stream of 20 ms packets, as they are said.",
    {"recurrence": "gru", "units": [80]},
)
