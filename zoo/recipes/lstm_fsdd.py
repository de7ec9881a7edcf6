"""lstm.fsdd: one LSTM layer on log-mel frames of a spoken digit.

Run:      zoo train lstm.fsdd --seed 0
          python -m zoo.benchmarks.speakers lstm.fsdd (each speaker held out once)
Cost:     2 to 5 minutes on one of 2 shared CPU cores.
Data:     Free Spoken Digit Dataset, official split: takes 0 to 4 of each digit and speaker are the test; takes 5 to 9
          are held out for validation.
Expect:   test accuracy 97.7 ± 0.3 % over three seeds; shipped 98.0 (seed 0, 99.7 % on validation); a held-out
          speaker 86.5, the mean over the six, each trained with half the epochs.
Departs:  no published recurrent result to depart from.
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "lstm.fsdd",
    "One LSTM layer on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "lstm", "units": [96]},
)
