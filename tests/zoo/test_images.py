import numpy as np
import pytest

from zoo.datasets import Split
from zoo.recipes.images import shift


def test_every_image_moves_as_a_whole_and_paper_comes_in():
    rng = np.random.default_rng(0)
    images = np.zeros((200, 6, 6), "float32")
    images[:, 2:4, 2:4] = rng.uniform(1, 255, (200, 2, 2))
    moved = shift(rng, Split(images.reshape(200, 36, 1), np.arange(200)), pixels=2)
    found = moved.x.reshape(200, 6, 6)
    offsets = set()
    for before, after in zip(images, found, strict=True):
        rows, columns = np.nonzero(after)
        down, right = rows.min() - 2, columns.min() - 2
        np.testing.assert_array_equal(after, np.roll(before, (down, right), (0, 1)))
        offsets.add((int(down), int(right)))
    assert offsets == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    np.testing.assert_array_equal(moved.y, np.arange(200))


def test_what_leaves_the_image_is_lost():
    image = np.zeros((1, 3, 3), "float32")
    image[0, 0, 0] = 1
    sums = {
        float(shift(np.random.default_rng(seed), Split(image.reshape(1, 9, 1), np.zeros(1)), pixels=1).x.sum())
        for seed in range(20)
    }
    assert sums == {0.0, 1.0}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_moves_the_same_way(seed):
    split = Split(np.random.default_rng(9).random((5, 16, 1)), np.zeros(5))
    first, second = (shift(np.random.default_rng(seed), split, pixels=1).x for _ in range(2))
    np.testing.assert_array_equal(first, second)
