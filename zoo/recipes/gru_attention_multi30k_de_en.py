"""gru_attention.multi30k_de_en: German captions into English.

Run:      zoo train gru_attention.multi30k_de_en --seed 0 --resume
Cost:     38 minutes on one of 2 shared CPU cores.
Expect:   BLEU 36.7 ± 0.3 over three seeds on the test of 2016 (sacreBLEU, cased, 13a, beam 5), 36.1 ± 0.2 by greedy
          search; shipped 36.6 (seed 0; seed 2 is better by 0.2 on validation), 31.7 on the test of 2017, of other
          photographs.
Data:     Multi30k, official split, see zoo/recipes/multi30k.py.
Departs:  from Luong et al. 2015 as zoo/recipes/multi30k.py says.
"""

from zoo.recipes import multi30k
from zoo.spec import Published

RECIPE = multi30k.recipe(
    "de",
    "en",
    (
        Published(
            28.8,
            "GRU with attention, greedy search, BLEU of lower-cased tokens",
            "https://github.com/bentrevett/pytorch-seq2seq (tutorial 4)",
        ),
    ),
)
