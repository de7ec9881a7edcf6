"""gru_attention.multi30k_en_de: English captions into German.

Run:      zoo train gru_attention.multi30k_en_de --seed 0 --resume
Cost:     35 minutes on one of 2 shared CPU cores.
Expect:   BLEU 34.1 ± 1.0 over three seeds on the test of 2016 (sacreBLEU, cased, 13a, beam 5), 32.9 ± 0.6 by greedy
          search; shipped 35.1 (seed 0, best on validation), 26.1 on the test of 2017, of other photographs.
Data:     Multi30k, official split, see zoo/recipes/multi30k.py.
Departs:  from Luong et al. 2015 as zoo/recipes/multi30k.py says.
"""

from zoo.recipes import multi30k
from zoo.spec import Published

RECIPE = multi30k.recipe(
    "en",
    "de",
    (
        Published(
            35.5,
            "GRU with attention, other tokens: about so much",
            "Elliott & Kádár 2017, arXiv:1705.04350 (from memory)",
        ),
    ),
)
