"""gru.fsdd: one GRU layer on log-mel frames of a spoken digit.

Run:      zoo train gru.fsdd --seed 0
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "gru.fsdd",
    "One GRU layer on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "gru", "units": [96]},
)
