"""The linear model of runs of tokens, against one that counts them in Python."""

import keras
import numpy as np
import pytest

from zoo import models
from zoo.errors import InvalidInput
from zoo.layers import NGrams

TEXTS = [[3, 4, 3, 4, 8], [5], [2, 2, 2]]
TOKENS = np.array([text + [0] * (6 - len(text)) for text in TEXTS], "int32")


def layer_of(n=3, buckets=50, **options):
    layer = NGrams(4, n=n, vocabulary=9, buckets=buckets, **options)
    layer.build((None, None))
    random = np.random.default_rng(0)
    layer.set_weights([random.standard_normal(kernel.shape).astype("float32") for kernel in layer.kernels])
    return layer


def run_number(run, buckets):
    """Of a run of tokens, the last one first."""
    number = run[0]
    for token in run[1:]:
        number = (number * 9 + token) % buckets
    return number


def counted(text, n, buckets, kernels):
    """Every run of 1 to n tokens, of which the longer ones may begin before the text and end one step behind it."""
    total = np.zeros(4)
    for k in range(1, n + 1):
        padded = [0] * (k - 1) + text + [0] * (k > 1)
        runs = [padded[at : at + k][::-1] for at in range(len(padded) - k + 1)]
        rows = [kernels[k - 1][run_number(run, buckets)] for run in runs]
        total += np.sum(rows, 0) / np.sqrt(len(rows))
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("buckets", [50, 1000])
def test_it_is_the_sum_over_all_runs_of_a_text(n, buckets):
    layer = layer_of(n, buckets)
    want = [counted(text, n, buckets, layer.get_weights()) for text in TEXTS]
    np.testing.assert_allclose(layer(TOKENS), want, rtol=0, atol=1e-5)


def test_padding_changes_no_answer_and_an_empty_text_has_the_answer_zero():
    layer = layer_of()
    alone = [np.asarray(layer(np.array([text], "int32")))[0] for text in TEXTS]
    np.testing.assert_allclose(layer(TOKENS), alone, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(layer(np.zeros((1, 3), "int32")), np.zeros((1, 4)))


def test_a_kernel_has_a_row_for_every_run_there_can_be_up_to_the_buckets():
    assert [tuple(kernel.shape) for kernel in layer_of(4, 500).kernels] == [(9, 4), (81, 4), (500, 4), (500, 4)]
    assert all(not weight.any() for weight in _fresh().get_weights())


def _fresh():
    layer = NGrams(2, n=2, vocabulary=9)
    layer.build((None, None))
    return layer


def test_dropout_hides_whole_runs_in_training_alone_and_keeps_the_mean():
    layer, tokens = layer_of(1, dropout=0.5), np.array([[3, 4]], "int32")
    first, second = layer.get_weights()[0][[3, 4]]
    possible = np.array([2 * (a * first + b * second) / np.sqrt(2) for a in (0, 1) for b in (0, 1)])
    found = np.array([np.asarray(layer(tokens, training=True))[0] for _ in range(400)])
    distances = np.abs(found[:, None] - possible).max(-1)
    assert distances.min(1).max() < 1e-5 and set(distances.argmin(1)) == {0, 1, 2, 3}
    np.testing.assert_allclose(found.mean(0), np.asarray(layer(tokens))[0], atol=0.3)


def test_it_comes_back_from_its_configuration_and_a_file(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, layer_of(2, 70, dropout=0.1)(tokens))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(TOKENS), model(TOKENS))
    assert again.layers[-1].get_config()["buckets"] == 70


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"n": 0}, "n=0 must be 1 or more."),
        ({"buckets": -1}, "buckets=-1 must be 1 or more."),
        ({"vocabulary": 0}, "vocabulary=0 must be 1 or more."),
        (
            {"vocabulary": 2**20, "buckets": 2047},
            "Runs of vocabulary=1048576 tokens in buckets=2047 overflow int32: the vocabulary times the larger of the "
            "two must be at most 2**31.",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused(given, error):
    with pytest.raises(InvalidInput) as caught:
        NGrams(4, **{"n": 2, "vocabulary": 9, **given})
    assert str(caught.value) == error


def test_the_largest_vocabulary_and_buckets_stay_within_int32():
    size = 46_340
    layer = NGrams(1, n=2, vocabulary=size, buckets=size)
    layer.build((None, None))
    layer.set_weights([np.zeros((size, 1)), np.arange(size)[:, None]])
    last = size - 1
    runs = [run % size for run in (last * size, last * size + last, last)]  # of the beginning, the text, the end
    np.testing.assert_allclose(layer(np.array([[last, last]], "int32")), [[sum(runs) / np.sqrt(3)]], rtol=1e-6)
    assert NGrams(1, n=1, vocabulary=2**22).vocabulary == 2**22


def test_a_wide_and_deep_classifier_adds_the_two():
    config = {"recurrence": "gru", "units": [3], "vocabulary": 9, "embedding": 5, "classes": 4, "ngrams": 2}
    model = models.build("text_classifier", config)
    deep = np.asarray(model(TOKENS))
    layer = layer_of(2, model.get_layer("wide").buckets)
    model.get_layer("wide").set_weights(layer.get_weights())
    np.testing.assert_allclose(model(TOKENS), deep + np.asarray(layer(TOKENS)), atol=1e-6)
