"""gru_attention.multi30k_en_de: English captions into German.

Run:      zoo train gru_attention.multi30k_en_de --seed 0
Cost:     TODO
Expect:   TODO
Data and departures: see zoo/recipes/multi30k.py.
"""

from zoo.recipes import multi30k

RECIPE = multi30k.recipe("en", "de", ())
