"""stacked_lstm.imdb: two LSTM layers over the words of a film review.

Run:      zoo train stacked_lstm.imdb --seed 2
Cost:     about 12 minutes on one of 2 shared CPU cores.
Data:     Large Movie Review Dataset, official split; every tenth training review held out for validation; the words of
          the training reviews alone.
Expect:   test accuracy 89.8 ± 0.1 % over seeds 0, 1, 2; shipped 89.9 % (seed 2, 90.3 % on validation); published:
          86.5 % (LSTM from random start), 92.8 % (SA-LSTM, pretrained on more reviews).
Departs:  from Dai & Le 2015: the states of all steps are pooled, word vectors start from counts of neighbours, no
          pretraining of the recurrent layer.
"""

from zoo.recipes import imdb

RECIPE = imdb.recipe(
    "stacked_lstm.imdb",
    "Two LSTM layers over the words of a review, mean and maximum over time.",
    {"recurrence": "lstm", "units": [64, 64]},
    (imdb.INTEGERS_DISAGREE,),
)
