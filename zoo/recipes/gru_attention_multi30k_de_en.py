"""gru_attention.multi30k_de_en: German captions into English.

Run:      zoo train gru_attention.multi30k_de_en --seed 0 --resume
Cost:     not measured: the run has not been made yet.
Expect:   not measured. The goal is a BLEU of 35 on the test of 2016 (sacreBLEU, cased, 13a, beam 5).
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
