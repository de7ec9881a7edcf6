"""gru.imdb: one GRU layer over the words of a film review.

Run:      zoo train gru.imdb --seed 0
Cost:     7 minutes on a free CPU core, 26 on a busy one.
Data:     Large Movie Review Dataset, official split; every tenth training review held out for validation; the words of
          the training reviews alone.
Expect:   test accuracy 90.5 ± 0.3 % over three seeds; shipped 90.7 (seed 0, 91.4 % on validation); published: 86.5 %
          (LSTM from random start), 92.8 % (SA-LSTM, pretrained on more reviews).
Departs:  from Dai & Le 2015: the states of all steps are pooled, word vectors start from counts of neighbours, no
          pretraining of the recurrent layer.
"""

from zoo.recipes import imdb

RECIPE = imdb.recipe(
    "gru.imdb",
    "One GRU layer over the words of a review, mean and maximum over time.",
    {"recurrence": "gru", "units": [112]},
)
