"""bilstm_ctc.fsdd: one bidirectional LSTM layer transcribes strings of three to seven spoken digits.

Run:      zoo train bilstm_ctc.fsdd --seed 0
Cost:     10 minutes on a free CPU core, 27 on a busy one.
Data:     strings of the takes of the Free Spoken Digit Dataset, see zoo/datasets/fsdd_strings.py; test strings are
          made of test takes alone.
Expect:   test word error rate 1.4 ± 0.4 % over three seeds, greedy or by prefix beam search; shipped 1.1 (seed 1, 1.3 %
          on validation).
Departs:  no published recurrent result to depart from.
"""

from functools import partial

import numpy as np

from zoo.datasets import Split
from zoo.datasets.fsdd_strings import join
from zoo.recipes.fsdd import PREPROCESSING, UNIT
from zoo.recipes.recipe import CardText, Recipe
from zoo.recipes.sound import vary


def strings(rng: np.random.Generator, split: Split, *, seconds: float) -> Split:
    """As many strings as there are takes, of these takes, each at another speed and through another microphone."""
    return join(rng, vary(rng, split, stretch=0.15, tilt=0.4), len(split), int(8000 * seconds))


RECIPE = Recipe(
    name="bilstm_ctc.fsdd",
    task="transcription",
    family="wave_ctc",
    config={
        "sample_rate": 8000,
        "window": 256,
        "hop": 160,
        "bands": 40,
        "band_dropout": 0.1,
        "recurrence": "lstm",
        "units": [128],
        "bidirectional": True,
        "dropout": 0.2,
        "classes": 11,
    },
    dataset="fsdd_strings",
    loss="ctc",
    metric="word_error_rate",
    also=("word_error_rate_beam",),
    epochs=24,
    batch_size=32,
    learning_rate=4e-3,
    weight_decay=1e-2,
    average=0.98,
    augment=partial(strings, seconds=4.5),
    card=CardText(
        summary="A bidirectional LSTM transcribes strings of three to seven spoken digits.",
        intended_use="Read digit strings (numbers, codes) from short recordings.",
        limits=(
            "The strings are joined from single takes: in fluent speech digits run into each other, which no training "
            "string shows.",
            "Six speakers, all in training and in test; digits alone: any other word becomes digits or nothing.",
            "Sound at 8 kHz, of a few seconds; a higher rate is brought down to it, a lower one is refused.",
            "There is no TFLite file in full integers: what the converter makes disagrees with Keras, and the check of "
            "the export refuses it. Use `--quantize dynamic`.",
        ),
        preprocessing=PREPROCESSING,
        input_unit=UNIT,
        published=(),
        sample_rate=8000.0,
        tried=(
            "16 epochs of 96 units: 2.2 % on validation, 2.0 % by prefix beam search; most errors are a 6 heard twice, "
            "or another digit for 6 or 8 over loud white noise.",
        ),
    ),
)
