"""gru.fsdd: one GRU layer on log-mel frames of a spoken digit.

Run:      zoo train gru.fsdd --seed 0
          python -m zoo.benchmarks.speakers gru.fsdd (each speaker held out once)
Cost:     2 to 5 minutes on 2 shared CPU cores.
Data:     Free Spoken Digit Dataset, official split: takes 0 to 4 of each digit and speaker are the test; takes 5 to 9
          are held out for validation.
Expect:   test accuracy 98.7 ± 0.3 % over three seeds; shipped 98.7 (seed 1, 100.0 % on validation); a held-out
          speaker 87.4, the mean over the six, each trained with half the epochs.
Departs:  no published recurrent result to depart from.
"""

from zoo.recipes import fsdd

RECIPE = fsdd.recipe(
    "gru.fsdd",
    "One GRU layer on log-mel frames computed inside the model; spoken digits.",
    {"recurrence": "gru", "units": [96]},
)
