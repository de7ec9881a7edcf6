"""The adding problem: add the two marked numbers of a long sequence. Generated, so it needs no download.

Each step holds a number drawn uniformly from [0, 1) and a mark; exactly one step of each half is marked 1, all
others 0. The target is the sum of the two marked numbers. Answering 1 always gives a mean squared error of 1/6.
Source: Hochreiter & Schmidhuber 1997, Neural Computation 9(8), experiment 4; the form of Le, Jaitly & Hinton 2015,
arXiv:1504.00941.
"""

import numpy as np

from zoo.datasets.base import Dataset, Split, Splits
from zoo.spec import DatasetRef

LENGTH = 100


def generate(rng: np.random.Generator, examples: int, length: int = LENGTH) -> Split:
    """x float32 [N, length, 2] (number, mark); y float32 [N, 1].

    >>> split = generate(np.random.default_rng(0), 5, length=10)
    >>> split.x.shape, bool(np.allclose((split.x[..., 0] * split.x[..., 1]).sum(1, keepdims=True), split.y))
    ((5, 10, 2), True)
    """
    numbers = rng.random((examples, length), "float32")
    marks = np.zeros_like(numbers)
    rows = np.arange(examples)
    marks[rows, rng.integers(0, length // 2, examples)] = 1
    marks[rows, rng.integers(length // 2, length, examples)] = 1
    return Split(np.stack([numbers, marks], -1), (numbers * marks).sum(1, keepdims=True))


def load() -> Splits:
    rng = np.random.default_rng(1997)
    return Splits(generate(rng, 20_000), generate(rng, 1_000), generate(rng, 10_000))


DATASET = Dataset(
    DatasetRef(
        name="adding",
        title="The adding problem",
        url="https://doi.org/10.1162/neco.1997.9.8.1735",
        licence="generated, no licence needed",
        citation="Hochreiter & Schmidhuber: Long Short-Term Memory, Neural Computation 9(8), 1997",
    ),
    (),
    load,
)
