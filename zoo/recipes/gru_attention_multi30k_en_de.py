"""gru_attention.multi30k_en_de: English captions into German.

Run:      zoo train gru_attention.multi30k_en_de --seed 0 --resume
Cost:     not measured: the run has not been made yet.
Expect:   not measured. The goal is a BLEU of 34 on the test of 2016 (sacreBLEU, cased, 13a, beam 5).
Data:     Multi30k, official split, see zoo/recipes/multi30k.py.
Departs:  from Luong et al. 2015 as zoo/recipes/multi30k.py says.
"""

from zoo.recipes import multi30k

RECIPE = multi30k.recipe("en", "de", ())
