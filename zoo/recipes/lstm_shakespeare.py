"""lstm.shakespeare: one LSTM layer writes Shakespeare, character by character.

Run:      zoo train lstm.shakespeare --seed 0 --resume
Cost:     57 to 60 minutes on one CPU core.
Expect:   1.447 ± 0.001 nats a character on the last tenth of the text over three seeds, 1.38 on the first
          twentieth; shipped 1.446 (seed 0); a transformer of 10.7 M parameters has 1.47.
Data:     Tiny Shakespeare; the last tenth is the test, see zoo/recipes/shakespeare.py.
Departs:  from char-rnn (Karpathy 2015) as zoo/recipes/shakespeare.py says.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("lstm.shakespeare", "lstm", 512, 4e-3, epochs=24)
