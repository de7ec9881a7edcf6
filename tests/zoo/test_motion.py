import numpy as np

from zoo.datasets import Split
from zoo.recipes import motion

RNG = np.random.default_rng(7)
WINDOWS = RNG.normal(size=(40, 128, 9)).astype("float32")


def augment(seed, x, **strengths):
    return motion.augment(np.random.default_rng(seed), Split(x, np.arange(len(x))), **strengths).x


def only(**change):
    """Augmentation with everything off but `change`."""
    return augment(3, WINDOWS, **{"degrees": 0, "gain": 0, "stretch": 0, "noise": 0, **change})


def test_nothing_asked_for_changes_nothing():
    np.testing.assert_allclose(only(), WINDOWS, atol=1e-5)


def test_a_rotation_keeps_the_length_of_every_triple_and_the_angle_between_them():
    turned = only(degrees=40).reshape(40, 128, 3, 3)
    given = WINDOWS.reshape(40, 128, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(given, axis=-1), rtol=1e-4)
    np.testing.assert_allclose(
        (turned[:, :, 0] * turned[:, :, 2]).sum(-1), (given[:, :, 0] * given[:, :, 2]).sum(-1), atol=1e-3
    )
    assert np.abs(turned - given).max() > 0.1


def test_a_gain_leaves_gravity_where_it_was():
    given_gravity = WINDOWS[..., 6:] - WINDOWS[..., :3]
    louder = only(gain=0.5)
    np.testing.assert_allclose(louder[..., 6:] - louder[..., :3], given_gravity, atol=1e-4)
    ratio = louder[..., 0] / WINDOWS[..., 0]
    assert np.allclose(ratio, ratio[:, :1], rtol=1e-3)
    assert ratio.min() >= np.exp(-0.5) - 1e-3 and ratio.max() <= np.exp(0.5) + 1e-3


def test_stretching_a_ramp_gives_a_shallower_ramp():
    ramp = np.repeat(np.arange(128, dtype="float32")[None, :, None], 9, -1)
    stretched = augment(0, ramp, degrees=0, gain=0, stretch=0.3, noise=0)[0, :, 0]
    slopes = np.diff(stretched)
    np.testing.assert_allclose(slopes, slopes[0], atol=1e-4)
    assert np.exp(-0.3) - 1e-4 <= slopes[0] <= 1
    assert stretched.min() >= -1e-4 and stretched.max() <= 127 + 1e-3


def test_the_same_seed_gives_the_same_windows():
    first, second = (augment(5, WINDOWS) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
