import keras
import numpy as np
import pytest

from zoo.datasets import Split
from zoo.recipes import bilstm_ewt_pos, losses, word_vectors


def information(texts, words, distance):
    """Positive pointwise mutual information, counted pair by pair."""
    counts = np.zeros((words, 2 * distance, words))
    for text in texts:
        for i, word in enumerate(text):
            for at, shift in enumerate([*range(-distance, 0), *range(1, distance + 1)]):
                if 0 <= i - shift < len(text):
                    counts[word, at, text[i - shift]] += 1
    counts = counts.reshape(words, -1)
    smooth = counts.sum(0) ** 0.75
    expected = counts.sum(1, keepdims=True) / counts.sum() * smooth / smooth.sum()
    found = np.zeros_like(counts)
    found[counts > 0] = np.log(counts[counts > 0] / counts.sum() / expected[counts > 0])
    return np.maximum(found, 0)


@pytest.mark.parametrize("distance", [1, 2])
def test_vectors_are_the_leading_singular_vectors_of_the_mutual_information(distance):
    rng = np.random.default_rng(0)
    texts = [rng.integers(1, 12, length).tolist() for length in (3, 40, 25)]
    vectors = word_vectors.learn(texts, 12, 12, neighbours=12, distance=distance)
    left, values, _ = np.linalg.svd(information(texts, 12, distance), full_matrices=False)
    expected = left * values @ left.T
    found = (vectors @ vectors.T).astype("float64")
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), atol=1e-5)
    assert np.mean(np.square(vectors)) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(vectors[0], 0, atol=1e-6)


def test_words_that_stand_between_the_same_words_have_like_vectors():
    texts = [[1, 2, 3], [1, 4, 3], [3, 1, 5], [5, 3, 1]] * 5
    vectors = word_vectors.learn(texts, 6, 3, neighbours=6)
    np.testing.assert_allclose(vectors[2], vectors[4], atol=1e-4)


def test_rare_words_are_hidden_more_often_than_frequent_ones_and_padding_never():
    tokens = np.zeros((1000, 6), "int32")
    tokens[:, 0] = 2  # a thousand times
    tokens[:, 1] = np.arange(3, 1003)  # once each
    x = {"words": tokens, "characters": np.ones((1000, 6, 3), "int32")}
    found = bilstm_ewt_pos.hide_words(np.random.default_rng(0), Split(x, np.zeros((1000, 6), "int32"))).x
    assert np.mean(found["words"][:, 1] == 1) == pytest.approx(0.2, abs=0.04)
    assert np.mean(found["words"][:, 0] == 1) < 0.01
    assert not found["words"][:, 2:].any()
    np.testing.assert_array_equal(found["characters"], x["characters"])


def test_the_loss_of_tags_is_the_mean_over_the_words_alone():
    recipe = bilstm_ewt_pos.RECIPE
    rng = np.random.default_rng(0)
    logits, y = rng.standard_normal((2, 3, 17)).astype("float32"), np.array([[4, 0, 16], [2, -1, -1]])
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    share = recipe.label_smoothing
    each = [
        -(1 - share) * np.log(chances[i, t, y[i, t]]) - share * np.mean(np.log(chances[i, t]))
        for i, t in [(0, 0), (0, 1), (0, 2), (1, 0)]
    ]
    found = losses.build(recipe)(y, keras.ops.convert_to_tensor(logits))
    assert float(found) == pytest.approx(np.mean(each), abs=1e-5)
