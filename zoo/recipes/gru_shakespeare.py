"""gru.shakespeare: one GRU layer writes Shakespeare, character by character.

Run:      zoo train gru.shakespeare --seed 0 --resume
Cost:     2 minutes an epoch on one CPU core, no run is finished yet.
Expect:   not measured. The goal is 1.50 nats a character on the last tenth of the text.
Data:     Tiny Shakespeare; the last tenth is the test, see zoo/recipes/shakespeare.py.
Departs:  from char-rnn (Karpathy 2015) as zoo/recipes/shakespeare.py says.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("gru.shakespeare", "gru", 512, 3e-3)
