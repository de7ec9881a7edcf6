"""bilstm.imdb: one bidirectional LSTM layer over the words of a film review.

Run:      zoo train bilstm.imdb --seed 0
Cost:     7 minutes on a free CPU core, 12 on a busy one.
Data:     Large Movie Review Dataset, official split; every tenth training review held out for validation; the words of
          the training reviews alone.
Expect:   test accuracy 90.6 ± 0.1 % over seeds 0, 1, 2 (90.8, 91.6 and 91.1 % on validation); shipped 90.5 % (seed
          0, from which bilstm.sst2 starts); published: 86.5 % (LSTM from random start), 92.8 % (SA-LSTM, pretrained on
          more reviews).
Departs:  from Dai & Le 2015: the states of all steps are pooled, word vectors start from counts of neighbours, no
          pretraining of the recurrent layer.
"""

from zoo.recipes import imdb

RECIPE = imdb.recipe(
    "bilstm.imdb",
    "One bidirectional LSTM layer over the words of a review, mean and maximum over time.",
    {"recurrence": "lstm", "units": [64], "bidirectional": True},
)
