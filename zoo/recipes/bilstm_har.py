"""bilstm.har: one bidirectional LSTM layer, averaged over time, on raw accelerometer and gyroscope windows.

Run:      zoo train bilstm.har --seed 0
Cost:     COST
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   EXPECT
Departs:  DEPARTS
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "bilstm.har",
    "One bidirectional LSTM layer, averaged over time, on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "lstm", "units": [64], "bidirectional": True, "pooling": "mean"},
)
