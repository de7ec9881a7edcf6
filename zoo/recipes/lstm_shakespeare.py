"""lstm.shakespeare: one LSTM layer writes Shakespeare, character by character.

Run:      zoo train lstm.shakespeare --seed 0 --resume
Cost:     40 minutes on one of 2 shared CPU cores.
Expect:   1.62 nats a character on the last tenth of the text, 1.45 on the twentieth before it (seed 0, the only one so
          far); the goal of 1.50 is missed: the plays of the end are stranger to the model than those that validate.
Data:     Tiny Shakespeare; the last tenth is the test, see zoo/recipes/shakespeare.py.
Departs:  from char-rnn (Karpathy 2015) as zoo/recipes/shakespeare.py says.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("lstm.shakespeare", "lstm", 512, 4e-3, epochs=24)
