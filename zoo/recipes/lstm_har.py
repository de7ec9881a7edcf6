"""lstm.har: one LSTM layer on raw accelerometer and gyroscope windows.

Run:      zoo train lstm.har --seed 0
Cost:     2 to 3 minutes on 2 CPU cores, about 1 GiB.
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   test accuracy 95.8 ± 0.9 % over seeds 0, 1, 2; published: 91 % (two-layer LSTM), 94 % (residual BiLSTM).
Departs:  from Chevalier's two-layer LSTM: one layer of 64 units, companded channels, augmentation.
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "lstm.har",
    "One LSTM layer on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "lstm", "units": [64]},
)
