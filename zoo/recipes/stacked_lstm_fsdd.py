"""stacked_lstm.fsdd: two LSTM layers on log-mel frames of a spoken digit.

Run:      zoo train stacked_lstm.fsdd --seed 0
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "stacked_lstm.fsdd",
    "Two LSTM layers on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "lstm", "units": [96, 96]},
)
