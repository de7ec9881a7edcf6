"""lstm_stream.kws: one LSTM layer spots yes, no, up and down in a stream of packets of 20 ms.

Run:      zoo train lstm_stream.kws --seed 0
Cost:     12 to 16 minutes on one of 2 shared CPU cores.
Data:     Speech Commands v0.02, four words, split by a hash of the speaker, among digits, spoilt words and noise; see
          zoo/datasets/kws.py.
Expect:   test accuracy 93.5 ± 0.2 % over seeds 0, 1, 2; shipped 93.2 % (seed 0, 93.8 % on validation); 46 false alarms
          an hour at 11 % missed. In int8 the streaming file has 93 KiB. The goal of 95 % is missed, see `_TRIED` in
          zoo/recipes/kws.py.
Departs:  from the streaming models of Rybakov et al. 2020 in size and in data (an eightieth of theirs, other labels).
"""

from zoo.recipes import kws

RECIPE = kws.recipe(
    "lstm_stream.kws",
    "An LSTM spots yes, no, up and down in a stream of 20 ms packets, as they are said.",
    {"recurrence": "lstm", "units": [64], "filters": 72},
)
