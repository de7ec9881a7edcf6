"""A student of a transformer: `minilm.sst2` answers pieces of text that nobody labelled, and `bilstm.sst2` learns them.

The pieces are runs of words of the training sentences, as the treebank's phrases are, and single sentences of the
training reviews of IMDb. Each time one is read, its label is drawn with the teacher's probability.
Source: Tang et al. 2019, arXiv:1903.12136. Differs: it compares logits, and makes its texts by replacing words.
"""

import hashlib
import os
import re
from functools import cache
from pathlib import Path

import numpy as np

from zoo.datasets import Split, imdb, minilm, sst2
from zoo.datasets.padding import lengths
from zoo.errors import DataMissing
from zoo.features import text
from zoo.recipes import minilm_sst2

TEACHER = Path("runs/minilm.sst2/seed0/model.weights.h5")
_PARTIAL = "answers.partial.npz"
_RUNS, _SENTENCES, _LONGEST = 8, 60_000, 45
_SEED = 1
_END = re.compile(r"(?<=[.!?])\s+")


def runs_of_words(rng: np.random.Generator, sentences: list[str], each: int) -> list[str]:
    """`each` runs of two or more words of every sentence, at random, each once.

    >>> runs_of_words(np.random.default_rng(0), ["a dull film"], 4)
    ['a dull', 'dull film']
    """
    found = set()
    for words in map(str.split, sentences):
        for _ in range(each):
            size = int(rng.integers(2, max(3, len(words))))
            first = rng.integers(0, max(1, len(words) - size + 1))
            found.add(" ".join(words[first : first + size]))
    return sorted(found)


def sentences(texts: list[str]) -> list[str]:
    """Of reviews, those of four words or more, each once.

    >>> sentences(["What a film!<br />Who wrote it? No. I do not know him."])
    ['I do not know him.']
    """
    pieces = (piece.strip() for review in texts for piece in _END.split(review.replace("<br />", " ")))
    return sorted({piece for piece in pieces if 4 <= len(piece.split()) <= _LONGEST})


@cache
def lessons() -> tuple[np.ndarray, np.ndarray]:
    """Pieces as tokens of IMDb, int32 [N, T], and the probability that the teacher gives to "positive", float [N].

    The teacher answers once, in some minutes; the file of its answers is kept beside its weights. Raises DataMissing
    where these are not.
    """
    if not TEACHER.exists():
        raise DataMissing(
            f"bilstm.sst2 learns from minilm.sst2, and there is no {TEACHER}: run `zoo train minilm.sst2` here first."
        )
    rng = np.random.default_rng(_SEED)
    found = sentences(imdb.training_texts())
    chosen = [found[index] for index in rng.permutation(len(found))[:_SENTENCES]]
    pieces = runs_of_words(rng, [sentence for sentence, _ in sst2.read("train")], _RUNS) + chosen
    digest = hashlib.sha256(TEACHER.read_bytes() + "\n".join(pieces).encode()).hexdigest()
    path = TEACHER.with_name(f"answers-{digest[:12]}.npz")
    if not path.exists():
        np.savez(TEACHER.with_name(_PARTIAL), positive=_asked(pieces))
        os.replace(TEACHER.with_name(_PARTIAL), path)
    return text.encode(imdb.tokenizer(), pieces), np.load(path)["positive"]


def _asked(pieces: list[str]) -> np.ndarray:
    """float [N]: the probability that the teacher gives to "positive"."""
    from zoo import models
    from zoo.evaluation import outputs_of
    from zoo.recipes.batches import runner

    recipe = minilm_sst2.RECIPE
    model = models.build(recipe.family, recipe.config)
    model.load_weights(TEACHER)
    logits = outputs_of(runner(model), text.encode(minilm.tokenizer(), pieces))
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


def augment(rng: np.random.Generator, split: Split, *, own: float) -> Split:
    """Of the split, whose batches hold examples of similar length, a share `own` stays; the others become pieces, the
    shortest in the place of the shortest."""
    tokens, positive = lessons()
    places = np.flatnonzero(rng.random(len(split)) > own)
    places = places[np.argsort(lengths(split.x)[places], kind="stable")]
    drawn = rng.choice(len(tokens), len(places), replace=False)
    drawn = drawn[np.argsort(lengths(tokens)[drawn], kind="stable")]
    x = np.zeros((len(split), max(split.x.shape[1], tokens.shape[1])), "int32")
    x[:, : split.x.shape[1]] = split.x
    x[places] = 0
    x[places, : tokens.shape[1]] = tokens[drawn]
    y = split.y.copy()
    y[places] = rng.random(len(places)) < positive[drawn]
    return Split(x, y, split.groups)
