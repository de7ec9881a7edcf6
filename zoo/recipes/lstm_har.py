"""lstm.har: one LSTM layer on raw accelerometer and gyroscope windows.

Run:      zoo train lstm.har --seed 0
Cost:     COST
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   EXPECT
Departs:  DEPARTS
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "lstm.har",
    "One LSTM layer on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "lstm", "units": [64]},
)
