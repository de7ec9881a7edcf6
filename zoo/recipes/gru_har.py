"""gru.har: one GRU layer on raw accelerometer and gyroscope windows.

Run:      zoo train gru.har --seed 0
Cost:     2 to 3 minutes on 2 CPU cores, about 1 GiB.
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   test accuracy 96.6 ± 0.2 % over seeds 0, 1, 2; published: 91 % (two-layer LSTM), 94 % (residual BiLSTM).
Departs:  a GRU in place of the LSTM of `lstm.har`.
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "gru.har",
    "One GRU layer on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "gru", "units": [64]},
)
