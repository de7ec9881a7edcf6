"""gru_attention.multi30k_de_en: German captions into English.

Run:      zoo train gru_attention.multi30k_de_en --seed 0
Cost:     TODO
Expect:   TODO
Data and departures: see zoo/recipes/multi30k.py.
"""

from zoo.recipes import multi30k

RECIPE = multi30k.recipe("de", "en", ())
