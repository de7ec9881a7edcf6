"""The transformer that teaches against the equations in NumPy, and what its student is given to learn."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from zoo import models, recipes
from zoo.datasets import Split, imdb, minilm, sst2
from zoo.datasets.padding import lengths
from zoo.errors import DataMissing, InvalidInput
from zoo.features import reviews
from zoo.recipes import bilstm_sst2, minilm_sst2, taught

CONFIG = {"vocabulary": 20, "positions": 9, "width": 8, "heads": 2, "hidden": 12, "blocks": 2}
REVIEWS = ["A film of great beauty. It is a dull, dull story!", "I do not know him. The plot is a beauty."]
SENTENCES = [("a dull story of a plot", 0), ("great beauty", 1)]


def tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights under the names and in the layout of the file: a kernel is [outputs, inputs]."""
    width, hidden = CONFIG["width"], CONFIG["hidden"]
    shapes = {
        "embeddings.word_embeddings.weight": (CONFIG["vocabulary"], width),
        "embeddings.position_embeddings.weight": (CONFIG["positions"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
        **_pair("embeddings.LayerNorm", width),
    }
    for index in range(CONFIG["blocks"]):
        block = f"encoder.layer.{index}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _pair(f"{block}.attention.{part}", width, width)
        shapes |= _pair(f"{block}.attention.output.LayerNorm", width) | _pair(f"{block}.output.LayerNorm", width)
        shapes |= _pair(f"{block}.intermediate.dense", hidden, width) | _pair(f"{block}.output.dense", width, hidden)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def _pair(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def mean_of_steps(found: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """The equations for one text without padding, in float64."""

    def dense(x, name):
        return x @ found[f"{name}.weight"].T + found[f"{name}.bias"]

    def normalised(x, name):
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return scaled * found[f"{name}.weight"] + found[f"{name}.bias"]

    found = {name: value.astype("float64") for name, value in found.items()}
    x = found["embeddings.word_embeddings.weight"][tokens]
    x = x + found["embeddings.position_embeddings.weight"][: len(tokens)]
    x = normalised(x + found["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    size = CONFIG["width"] // CONFIG["heads"]
    for index in range(CONFIG["blocks"]):
        block = f"encoder.layer.{index}"
        query, key, value = (dense(x, f"{block}.attention.self.{part}") for part in ("query", "key", "value"))
        heard = []
        for head in range(CONFIG["heads"]):
            own = slice(head * size, (head + 1) * size)
            score = np.exp(query[:, own] @ key[:, own].T / math.sqrt(size))
            heard.append(score / score.sum(-1, keepdims=True) @ value[:, own])
        found_there = dense(np.concatenate(heard, -1), f"{block}.attention.output.dense")
        x = normalised(x + found_there, f"{block}.attention.output.LayerNorm")
        up = dense(x, f"{block}.intermediate.dense")
        up = up * (1 + np.vectorize(math.erf)(up / math.sqrt(2))) / 2
        x = normalised(x + dense(up, f"{block}.output.dense"), f"{block}.output.LayerNorm")
    return x.mean(0)


@pytest.fixture
def teacher(monkeypatch):
    """A small one with random weights, in the place of the real one."""
    found = tensors(np.random.default_rng(0))
    monkeypatch.setattr(minilm, "CONFIG", CONFIG)
    monkeypatch.setattr(minilm, "tensors", lambda: found)
    recipe = dataclasses.replace(minilm_sst2.RECIPE, config={**CONFIG, "classes": 2, "dropout": 0.1})
    monkeypatch.setattr(minilm_sst2, "RECIPE", recipe)
    model = models.build(recipe.family, recipe.config)
    recipe.start(model)
    return model, found


def test_the_teacher_computes_the_equations_of_bert_whatever_the_padding(teacher):
    model, found = teacher
    mean = keras.Model(model.input, model.get_layer("logits").input)
    tokens = np.array([[3, 7, 2, 9, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0], [5, 1, 8, 2, 6, 3, 3]], "int32")
    expected = [mean_of_steps(found, [token for token in row if token]) for row in tokens]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mean(tokens)), expected, atol=2e-5)


def test_heads_share_the_width():
    with pytest.raises(InvalidInput) as error:
        models.build("transformer", {**CONFIG, "heads": 3, "classes": 2})
    assert str(error.value) == "width=8 must be a multiple of heads=3."


@pytest.fixture
def little(monkeypatch, tmp_path, teacher):
    """Two reviews and two sentences in the place of the data sets, a folder of its own for the teacher."""
    pieces = reviews.of_words(REVIEWS, size=CONFIG["vocabulary"])
    pieces.enable_truncation(CONFIG["positions"])
    monkeypatch.setattr(imdb, "training_texts", lambda: REVIEWS)
    monkeypatch.setattr(imdb, "tokenizer", lambda: reviews.of_words(REVIEWS, size=30))
    monkeypatch.setattr(sst2, "read", lambda part: SENTENCES)
    monkeypatch.setattr(minilm, "tokenizer", lambda: pieces)
    monkeypatch.setattr(taught, "TEACHER", tmp_path / "model.weights.h5")
    taught.lessons.cache_clear()
    yield teacher[0]
    taught.lessons.cache_clear()


def test_the_teacher_answers_each_piece_once(little, monkeypatch):
    little.save_weights(taught.TEACHER)
    tokens, positive = taught.lessons()
    pieces = [imdb.tokenizer().decode([token for token in row if token]) for row in tokens]
    assert "great beauty" in pieces and "i do not know him ." in pieces and len(pieces) == len(set(pieces))
    row = minilm.tokenizer().encode("I do not know him.").ids
    logits = keras.ops.convert_to_numpy(little(np.array([row], "int32")))[0]
    expected = np.exp(logits[1]) / np.exp(logits).sum()
    assert positive[pieces.index("i do not know him .")] == pytest.approx(expected, abs=1e-6)

    taught.lessons.cache_clear()
    monkeypatch.setattr(taught, "_asked", lambda pieces: pytest.fail("asked again"))
    np.testing.assert_array_equal(taught.lessons()[1], positive)


def test_another_teacher_is_asked_again(little, monkeypatch):
    little.save_weights(taught.TEACHER)
    taught.lessons()
    little.get_layer("logits").set_weights([np.ones((8, 2)), np.array([0.0, 5.0])])
    little.save_weights(taught.TEACHER)
    taught.lessons.cache_clear()
    assert taught.lessons()[1] == pytest.approx(1 / (1 + math.exp(-5)), abs=1e-4)


def test_without_a_teacher_the_student_says_what_to_run(little):
    with pytest.raises(DataMissing) as error:
        taught.lessons()
    assert str(error.value) == (
        f"bilstm.sst2 learns from minilm.sst2, and there is no {taught.TEACHER}: "
        "run `zoo train minilm.sst2` here first."
    )


def test_an_epoch_mixes_sentences_with_pieces_of_like_length(monkeypatch):
    rng = np.random.default_rng(0)
    tokens = np.where(np.arange(9) < rng.integers(1, 10, (5000, 1)), 7, 0).astype("int32")
    positive = np.where(np.arange(5000) % 2, 0.8, 0.0)
    monkeypatch.setattr(taught, "lessons", lambda: (tokens, positive))
    x = np.where(np.arange(12) < np.sort(rng.integers(1, 13, 2000))[:, None], 3, 0).astype("int32")
    given = Split(x, np.full(2000, 1, "int32"))

    found = taught.augment(rng, given, own=0.3)
    own = found.x[:, 0] == 3
    assert own.mean() == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(found.x[own], x[own])
    assert np.all(found.y[own] == 1) and found.y[~own].mean() == pytest.approx(0.4, abs=0.04)
    assert np.all(np.diff(lengths(found.x)[~own]) >= 0)  # as the sentences in whose place they stand
    assert given.x.max() == 3 and given.y.min() == 1  # what was given stays


def test_the_student_hides_words_of_both(monkeypatch):
    monkeypatch.setattr(taught, "lessons", lambda: (np.full((4000, 6), 7, "int32"), np.ones(4000)))
    given = Split(np.full((3000, 6), 3, "int32"), np.zeros(3000, "int32"))
    found = bilstm_sst2.augment(np.random.default_rng(0), given)
    assert np.mean(found.x == 1) == pytest.approx(0.1, abs=0.01)
    assert np.mean(found.y) == pytest.approx(0.7, abs=0.03)
    assert recipes.get("bilstm.sst2").augment is bilstm_sst2.augment
