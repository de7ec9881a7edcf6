"""Word vectors from unlabelled text: which words stand beside a word, in few dimensions. NumPy only, about a minute.

The counts of the neighbours at each distance become positive pointwise mutual information, its leading singular
vectors the words' vectors. Source: Levy, Goldberg, Dagan 2015, TACL 3 (context distribution smoothing 0.75, square root
of the singular values). Differs: each distance has its own neighbours, which tells parts of speech apart.
"""

from collections.abc import Sequence

import numpy as np

_SMOOTHING = 0.75
_POWER_STEPS = 4


def learn(
    texts: Sequence[Sequence[int]], words: int, dimensions: int, *, neighbours: int = 1000, distance: int = 2
) -> np.ndarray:
    """float32 [words, dimensions] from texts of token ids; 0 is padding and has the vector 0.

    neighbours: tokens from 1 up to this count as neighbours, so frequent words need the low ids
    distance:   how many steps to the left and to the right a neighbour may stand
    The vectors have the mean square 1.
    """
    gap = np.zeros(distance, "int32")  # texts are no neighbours
    stream = np.concatenate([part for text in texts for part in (np.asarray(text, "int32"), gap)])
    shifts = [shift for shift in range(-distance, distance + 1) if shift]
    counts = [_counts(stream, np.roll(stream, shift), words, neighbours) for shift in shifts]
    return _leading(_information(np.concatenate(counts, 1)), dimensions)


def _counts(words: np.ndarray, beside: np.ndarray, size: int, neighbours: int) -> np.ndarray:
    """float32 [size, neighbours]: how often word i stood where its neighbour was j."""
    kept = (words > 0) & (beside > 0) & (beside < neighbours)
    places = words[kept].astype("int64") * neighbours + beside[kept]
    return np.bincount(places, minlength=size * neighbours).reshape(size, neighbours).astype("float32")


def _information(counts: np.ndarray) -> np.ndarray:
    """Positive pointwise mutual information of counts [W, N], in place; 0 where nothing was counted."""
    total = counts.sum()
    of_words = np.maximum(counts.sum(1, keepdims=True), 1) / total
    of_neighbours = counts.sum(0) ** _SMOOTHING
    of_neighbours /= of_neighbours.sum()
    with np.errstate(divide="ignore"):
        for row, share in zip(counts, of_words, strict=True):
            row[:] = np.maximum(np.log(row / total / (share * np.maximum(of_neighbours, 1e-12))), 0)
    return counts


def _leading(matrix: np.ndarray, dimensions: int) -> np.ndarray:
    """U √S of the leading singular vectors, by power steps from a random start (Halko, Martinsson, Tropp 2011)."""
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((matrix.shape[1], dimensions + 10)).astype("float32")
    for _ in range(_POWER_STEPS):
        basis, _ = np.linalg.qr(matrix.T @ (matrix @ basis))
    left, values, _ = np.linalg.svd(matrix @ basis, full_matrices=False)
    vectors = (left * np.sqrt(values))[:, :dimensions]
    return (vectors / np.sqrt(np.mean(np.square(vectors)) + 1e-12)).astype("float32")
