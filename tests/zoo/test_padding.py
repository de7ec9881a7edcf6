import numpy as np
import pytest

from zoo import evaluation
from zoo.datasets import Split, padding
from zoo.recipes.batches import Cut, bucketed


def tokens(*counts, width=9):
    """A row of `count` ones for each count, padded with 0."""
    return (np.arange(width) < np.array(counts)[:, None]).astype("int32")


def test_lengths_reach_to_the_last_step_that_is_no_padding():
    array = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [3, 3, 3, 3]])
    assert padding.lengths(array).tolist() == [3, 0, 4]
    assert padding.lengths(np.stack([array, 0 * array], -1)).tolist() == [3, 0, 4]
    assert padding.lengths(array - 1, padding=-1).tolist() == [3, 0, 4]


def test_a_cut_keeps_one_step_of_empty_rows_and_leaves_floats_alone():
    assert padding.cut(tokens(0, 0)).shape == (2, 1)
    assert padding.cut(tokens(2, 3).astype("float32")).shape == (2, 9)


def test_inputs_and_targets_are_cut_each_to_its_own_longest():
    x, y = {"source": tokens(2, 4), "target": tokens(5, 1)}, np.where(tokens(5, 1), 0, padding.TARGET)
    found = padding.cut_split(Split(x, y))
    assert found.x["source"].shape == (2, 4) and found.x["target"].shape == found.y.shape == (2, 5)


def test_bucketed_batches_hold_similar_lengths_and_every_example_at_most_once():
    rng = np.random.default_rng(0)
    x = tokens(*rng.integers(1, 100, 1037), width=100)
    order = bucketed(np.random.default_rng(1), x, 10)
    assert len(order) == len(set(order.tolist())) == 1030
    lengths = padding.lengths(x)[order].reshape(-1, 10)
    assert np.median(np.ptp(lengths, axis=1)) <= 3
    assert np.abs(np.diff(lengths.mean(1))).mean() > 20  # the batches come in random order


def test_cut_batches_follow_the_split():
    split = Split(tokens(1, 2, 7, 3), np.arange(4))
    shapes = [(x.shape, y.tolist()) for x, y in (Cut(split, 2)[index] for index in range(len(Cut(split, 2))))]
    assert shapes == [((2, 2), [0, 1]), ((2, 7), [2, 3])]


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_padded_tokens_are_run_cut_and_answered_in_their_order(batch):
    x, seen = tokens(5, 1, 9, 2), []

    def run(given):
        seen.append(given.shape[1])
        return {"last": given.sum(1), "steps": np.cumsum(given, 1)[..., None]}

    found = evaluation.outputs_of(run, x, batch=batch)
    assert found["last"].tolist() == [5, 1, 9, 2]
    np.testing.assert_array_equal(found["steps"][..., 0] * x, np.cumsum(x, 1) * x)
    assert seen == {1: [1, 2, 5, 9], 2: [2, 9], 256: [9]}[batch]
