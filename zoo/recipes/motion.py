"""Augmentation for windows of a body-worn sensor: another way to wear the phone, another stride, another sensor."""

import numpy as np

from zoo.datasets import Split


def augment(
    rng: np.random.Generator,
    split: Split,
    *,
    degrees: float = 10.0,
    gain: float = 0.3,
    stretch: float = 0.3,
    noise: float = 0.1,
) -> Split:
    """x float32 [N, T, 9] as `zoo.datasets.har` orders it (body acceleration, angular velocity, total acceleration).

    degrees  standard deviation of a random rotation, the same for the three triples of an example
    gain     the strength of movement and of turning, each times e^u with u uniform in ±gain; gravity stays
    stretch  the window is a random piece, e^-u of its length with u uniform in [0, stretch], resampled to T steps
    noise    standard deviation of white noise, in the units of the channels
    """
    x = _resample(rng, split.x, stretch)
    movement, turning = np.exp(rng.uniform(-gain, gain, (2, len(x), 1, 1))).astype("float32")
    body, gyro, total = x[..., :3], x[..., 3:6], x[..., 6:]
    x = np.stack([body * movement, gyro * turning, total + (movement - 1) * body], 2)
    x = x @ _rotations(rng, len(x), degrees)[:, None].transpose(0, 1, 3, 2)
    x = x.reshape(len(x), -1, 9)
    return Split(x + noise * rng.standard_normal(x.shape, "float32"), split.y, split.groups)


def _resample(rng: np.random.Generator, x: np.ndarray, stretch: float) -> np.ndarray:
    """A random piece of each window, linearly interpolated back to the full number of steps."""
    examples, last = len(x), x.shape[1] - 1
    rate = np.exp(-rng.uniform(0, stretch, (examples, 1)))
    place = rng.uniform(0, 1, (examples, 1)) * last * (1 - rate) + rate * np.arange(last + 1)
    before = np.minimum(place.astype(int), last - 1)
    share = (place - before)[..., None].astype("float32")
    rows = np.arange(examples)[:, None]
    return x[rows, before] * (1 - share) + x[rows, before + 1] * share


def _rotations(rng: np.random.Generator, count: int, degrees: float) -> np.ndarray:
    """Rotation matrices [N, 3, 3] about random axes (Rodrigues' formula)."""
    axis = rng.standard_normal((count, 3)) * np.deg2rad(degrees)
    angle = np.linalg.norm(axis, axis=1)[:, None, None] + 1e-9
    cross = np.zeros((count, 3, 3))
    cross[:, (2, 0, 1), (1, 2, 0)] = axis
    cross[:, (1, 2, 0), (2, 0, 1)] = -axis
    return (np.eye(3) + np.sin(angle) / angle * cross + (1 - np.cos(angle)) / angle**2 * cross @ cross).astype(
        "float32"
    )
