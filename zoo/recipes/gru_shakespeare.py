"""gru.shakespeare: one GRU layer writes Shakespeare, character by character.

Run:      zoo train gru.shakespeare --seed 0 --resume
Cost:     45 minutes on one CPU core.
Expect:   1.478 ± 0.001 nats a character on the last tenth of the text over three seeds, 1.41 on the first twentieth;
          shipped 1.479 (seed 0; seed 2 is better by 0.006 on validation); a transformer of 10.7 M parameters has 1.47.
Data:     Tiny Shakespeare; the last tenth is the test, see zoo/recipes/shakespeare.py.
Departs:  from char-rnn (Karpathy 2015) as zoo/recipes/shakespeare.py says.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("gru.shakespeare", "gru", 512, 3e-3, epochs=30)
