"""What the four recipes of the IMDb models share, so that they differ in the architecture alone."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.datasets import Split, imdb
from zoo.datasets.padding import UNKNOWN, lengths
from zoo.recipes import word_vectors
from zoo.recipes.recipe import CardText, Recipe
from zoo.recipes.sampling import masked
from zoo.spec import Published

if TYPE_CHECKING:
    import keras

_EMBEDDING = 48
_DAI = "Dai & Le 2015, arXiv:1511.01432"
INTEGERS_DISAGREE = (
    "There is no TFLite file in full integers: what the converter makes disagrees with Keras, and the check of the "
    "export refuses it. Use `--quantize dynamic`."
)
_TRIED = (
    "By the best epoch on validation, 91.2 % of lstm.imdb with this recipe: a learning rate of 0.001 in place of "
    "0.002, 90.6 %; labels not smoothed, 91.0 %; a dropout of 0.2 in place of 0.4, 91.2 %; the weights themselves in "
    "place of their average, 91.1 %.",
    "bilstm.imdb with 128 units, trained first as language models of the training reviews, in both directions, three "
    "epochs to a perplexity of 117: 90.8 %, as without. The 92.8 % of SA-LSTM needs a larger one, pretrained on the "
    "50,000 reviews without a label too.",
)
_KERAS = "https://keras.io/examples/nlp/bidirectional_lstm_imdb/"


def start(model: "keras.Model") -> None:
    """Gives the model word vectors of the training reviews; the last number of a vector is how much more often a word
    stands in positive reviews (Wang & Manning 2012, Baselines and Bigrams)."""
    train = imdb.load().train
    rows = [row[:length] for row, length in zip(train.x, lengths(train.x), strict=True)]
    vectors = word_vectors.learn(rows, imdb.VOCABULARY, _EMBEDDING - 1, distance=3)
    ratio = log_count_ratio(train.x, train.y, imdb.VOCABULARY)
    weights = np.concatenate([0.3 * vectors, np.clip(ratio, -2, 2)[:, None]], 1)
    weights[: UNKNOWN + 1] = 0
    model.get_layer("embedding").set_weights([weights.astype("float32")])


def log_count_ratio(tokens: np.ndarray, labels: np.ndarray, words: int) -> np.ndarray:
    """float [words]: log of the share of the positive texts a word is in, over its share of the negative ones, each
    counted once too often."""
    shares = []
    for label in (1, 0):
        seen = np.zeros(words)
        for row in tokens[labels == label]:
            seen[np.unique(row)] += 1
        shares.append((seen + 1) / (np.sum(labels == label) + 1))
    return np.log(shares[0] / shares[1])


def augment(rng: np.random.Generator, split: Split, *, steps: int, hidden: float) -> Split:
    """A random piece of `steps` words of each longer text, each word unknown with the probability `hidden`."""
    length = lengths(split.x)
    first = (rng.random(len(length)) * (np.maximum(length - steps, 0) + 1)).astype(int)
    places = np.minimum(first[:, None] + np.arange(min(steps, split.x.shape[1])), split.x.shape[1] - 1)
    tokens = np.take_along_axis(split.x, places, 1)
    return Split(masked(rng, tokens, hidden), split.y, split.groups)


def recipe(name: str, summary: str, config: dict[str, Any], limits: tuple[str, ...] = ()) -> Recipe:
    """The recipe of `name`: `config` says what sets the architecture apart, `limits` what it alone cannot do."""
    return Recipe(
        name=name,
        task="sentiment",
        family="review_classifier",
        config={
            "vocabulary": imdb.VOCABULARY,
            "embedding": _EMBEDDING,
            "classes": 2,
            "dropout": 0.4,
            "embedding_dropout": 0.2,
            **config,
        },
        dataset="imdb",
        loss="cross_entropy",
        metric="accuracy",
        epochs=8,
        batch_size=64,
        learning_rate=2e-3,
        weight_decay=1e-2,
        label_smoothing=0.1,
        average=0.998,
        bucketed=True,
        start=start,
        augment=partial(augment, steps=256, hidden=0.1),
        card=CardText(
            summary=summary,
            intended_use="Tell whether an English review of a film or a series speaks for it or against it.",
            limits=(
                "Trained on reviews of films with 1 to 4 or 7 to 10 stars: there is no neutral answer.",
                "English; in other languages, and on other subjects than films, the answer means little.",
                "Irony, and plots told at length, mislead it; so do negations in short sentences: “It was not bad at "
                "all” is answered negative.",
                "Of a text whose words it never saw it knows nothing, and answers near even.",
                *limits,
            ),
            preprocessing="Lower case, `<br />` a blank, one token a word or run of punctuation (tokenizer.json): the "
            "most frequent words of the training reviews; a word never seen is one common token.",
            input_unit="token ids",
            published=(
                Published(0.865, "LSTM from random start", _DAI),
                Published(0.928, "LSTM pretrained on the reviews, labelled and unlabelled", _DAI),
                Published(0.87, "bidirectional LSTM of the Keras examples, 84 to 87 %", _KERAS),
            ),
            tried=_TRIED,
            stored="float16",
        ),
    )
