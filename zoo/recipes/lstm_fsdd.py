"""lstm.fsdd: one LSTM layer on log-mel frames of a spoken digit.

Run:      zoo train lstm.fsdd --seed 0
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "lstm.fsdd",
    "One LSTM layer on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "lstm", "units": [96]},
)
