"""gru.shakespeare: one GRU layer writes Shakespeare, character by character.

Run:      zoo train gru.shakespeare --seed 0
Cost:     TODO
Expect:   TODO
Data and departures: see zoo/recipes/shakespeare.py.
"""

from zoo.recipes import shakespeare

RECIPE = shakespeare.recipe("gru.shakespeare", "gru", 512, 3e-3)
