"""stacked_lstm.har: two LSTM layers on raw accelerometer and gyroscope windows.

Run:      zoo train stacked_lstm.har --seed 0
Cost:     COST
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   EXPECT
Departs:  DEPARTS
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "stacked_lstm.har",
    "Two LSTM layers on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "lstm", "units": [48, 48]},
)
