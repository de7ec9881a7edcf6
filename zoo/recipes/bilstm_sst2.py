"""bilstm.sst2: sentiment of a sentence, from the weights of `bilstm.imdb`, taught by a transformer.

Run:      zoo train minilm.sst2; zoo train bilstm.sst2 --seed 0, once bilstm.imdb is there
Cost:     6 minutes on one CPU core, besides the 10 of the teacher (zoo/recipes/minilm_sst2.py) and 10 for its answers,
          which it gives once for all seeds, before the first epoch.
Data:     Stanford Sentiment Treebank, two classes, sentences alone; official split. Teacher and student are trained on
          the labels of its training sentences; the texts that the teacher answers are parts of these, and sentences
          of the training reviews of IMDb.
Expect:   test accuracy 86.4 ± 0.2 % over three seeds; shipped 86.4 (seed 0, 87.8 % on validation); without a teacher
          84.3 ± 0.4;
          published: 84.9 % (LSTM), 87.5 % (BiLSTM), both with GloVe and the labels of phrases.
Departs:  from Tai et al. 2015: trained first on the reviews of IMDb; what GloVe and the labels of phrases are to them,
          the answers of a pretrained transformer are here (zoo/recipes/taught.py).
"""

from typing import TYPE_CHECKING

from zoo.datasets import Split
from zoo.recipes import bilstm_imdb, imdb, taught
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

if TYPE_CHECKING:
    import keras
    import numpy as np

_TAI = "Tai, Socher, Manning 2015, arXiv:1503.00075"


def start(model: "keras.Model") -> None:
    """Gives the model the weights of `bilstm.imdb`, which knows the same two classes, and has the teacher answer."""
    from zoo.loading import load
    from zoo.recipes.transfer import Start

    Start(load("bilstm.imdb"), head=True)(model)
    taught.lessons()


def augment(rng: "np.random.Generator", split: Split) -> Split:
    """Seven of ten sentences give way to pieces that the teacher answered; one word of ten is hidden."""
    return imdb.augment(rng, taught.augment(rng, split, own=0.3), steps=64, hidden=0.1)


RECIPE = Recipe(
    name="bilstm.sst2",
    task="sentiment",
    family="review_classifier",
    config=bilstm_imdb.RECIPE.config,
    dataset="sst2",
    loss="cross_entropy",
    metric="accuracy",
    epochs=60,
    batch_size=64,
    learning_rate=1e-3,
    weight_decay=1e-2,
    average=0.995,
    bucketed=True,
    start=start,
    augment=augment,
    card=CardText(
        summary="The bidirectional LSTM of bilstm.imdb, trained on for single sentences; its teacher is a transformer, "
        "all-MiniLM-L6-v2 (Apache 2.0).",
        intended_use="Tell whether an English sentence about a film speaks for it or against it.",
        limits=(
            "Trained on sentences of film critics: there is no neutral answer.",
            "English; on other subjects than films the answer means little.",
            "Irony misleads it, and so do negations: “It was not bad at all” is answered negative.",
            "Of a text whose words it never saw it knows nothing, and answers near even.",
        ),
        preprocessing="That of bilstm.imdb: lower case, one token a word or run of punctuation (tokenizer.json).",
        input_unit="token ids",
        published=(
            Published(0.849, "LSTM with GloVe and the labels of phrases", _TAI),
            Published(0.875, "bidirectional LSTM with GloVe and the labels of phrases", _TAI),
        ),
        tried=(
            "Without a teacher, the labels smoothed by a tenth, 16 epochs: 85.9 % by the best epoch on validation and "
            "84.3 ± 0.4 % on the test split. By the former measure: the weights averaged over 200 or 500 steps in "
            "place of 100, 85.4 and 85.1 %; dropouts of 0.6 and 0.3, 85.0 %; two words of ten hidden, 85.0 %; learning "
            "rates of 0.0003 and 0.003, 84.5 and 85.1 %; 25,000 words in place of 15,000, the vectors of the new ones "
            "by linear regression from counts of neighbours, 85.2 %; as many reviews of IMDb among the sentences, "
            "85.0 %; the weights of six seeds averaged, 85.5 %, and their mean answer, 85.3 %; the same from the "
            "weights of gru.imdb, 85.8 %, of lstm.imdb, 85.3 %, of stacked_lstm.imdb, 84.9 %; the mean answer of nine "
            "such models, 85.3 %.",
            "By the mean of the last five epochs, 84.7 % without a teacher: 277,000 sentences of the training reviews "
            "besides, labelled by six such models and by the review they come from, 85.2 %; 128 units trained first as "
            "language models of the training reviews, in both directions, to a perplexity of 117, 84.0 %; the two "
            "together, 85.3 %. A linear model of runs of one to three words beside it changes nothing.",
            "With a teacher trained for four epochs on labels not smoothed (87.4 %), 87.3 % by the mean of the last "
            "five of 40 epochs; its answers made softer, 87.4 % of 60.",
        ),
        stored="float16",
    ),
)
