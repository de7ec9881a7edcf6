"""bilstm.fsdd: one bidirectional LSTM layer, averaged over time, on log-mel frames of a spoken digit.

Run:      zoo train bilstm.fsdd --seed 0
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "bilstm.fsdd",
    "One bidirectional LSTM layer, averaged over time, on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "lstm", "units": [96], "bidirectional": True, "pooling": "mean"},
)
