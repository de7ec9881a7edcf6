"""lstm.shakespeare: one LSTM layer writes Shakespeare, character by character.

Run:      zoo train lstm.shakespeare --seed 0
Cost:     TODO
Expect:   TODO
Data and departures: see zoo/recipes/shakespeare.py.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("lstm.shakespeare", "lstm", 512, 4e-3)
