"""bilstm.har: one bidirectional LSTM layer, averaged over time, on raw accelerometer and gyroscope windows.

Run:      zoo train bilstm.har --seed 0
Cost:     5 to 8 minutes on 2 CPU cores, about 1 GiB.
Data:     UCI HAR, official subject split; training subjects 5, 17 and 28 held out for validation.
Expect:   test accuracy 97.5 ± 0.4 % over seeds 0, 1, 2; published: 91 % (two-layer LSTM), 94 % (residual BiLSTM).
Departs:  from Chevalier's residual bidirectional LSTM: one layer of 64 units, averaged over time, companded channels,
          augmentation.
"""

from zoo.recipes import har

RECIPE = har.recipe(
    "bilstm.har",
    "One bidirectional LSTM layer, averaged over time, on raw accelerometer and gyroscope windows; six activities.",
    {"recurrence": "lstm", "units": [64], "bidirectional": True, "pooling": "mean"},
)
