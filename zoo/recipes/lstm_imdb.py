"""lstm.imdb: one LSTM layer over the words of a film review.

Run:      zoo train lstm.imdb --seed 0
Cost:     about 7 minutes on one of 2 shared CPU cores.
Data:     Large Movie Review Dataset, official split; every tenth training review held out for validation; the words of
          the training reviews alone.
Expect:   test accuracy 90.4 ± 0.1 % over three seeds; shipped 90.5 (seed 0, 91.2 % on validation); published: 86.5 %
          (LSTM from random start), 92.8 % (SA-LSTM, pretrained on more reviews).
Departs:  from Dai & Le 2015: the states of all steps are pooled, word vectors start from counts of neighbours, no
          pretraining of the recurrent layer.
"""

from zoo.recipes import imdb

RECIPE = imdb.recipe(
    "lstm.imdb",
    "One LSTM layer over the words of a review, mean and maximum over time.",
    {"recurrence": "lstm", "units": [96]},
    (imdb.INTEGERS_DISAGREE,),
)
