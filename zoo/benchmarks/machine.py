"""What the machine itself can do, measured in the same run as everything that is held against it.

Three calls that take their turns among the candidates: a product of square matrices, large enough to reach the peak; a
sum over more memory than any cache holds; and a product of one row with a matrix of the size of the model's weights,
which is what a recurrent step at batch 1 waits for. NumPy with its BLAS, on the threads of the process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

SIDE = 1024  # of the square matrices
STREAMED = 2**28  # bytes, beyond the caches
AGAIN = 10  # products with the weights in one call, so that calling takes no time
MATMUL, MEMORY, WEIGHTS = "machine: matmul", "machine: memory", "machine: weights"


@dataclass(frozen=True)
class Work:
    """Floating-point operations of a call, and the bytes of weights each of its `steps` has to read."""

    operations: int
    step_bytes: int
    steps: int


@dataclass(frozen=True)
class Limit:
    """Rates of one run: operations a second, bytes a second from memory, and from where weights of a size lie."""

    matmul: float
    memory: float
    weights: float

    def seconds(self, work: Work) -> float:
        """The shortest time the machine allows: whichever of arithmetic and reading takes longer."""
        return max(work.operations / self.matmul, work.steps * work.step_bytes / self.weights)

    def row(self) -> dict[str, float]:
        return {
            "matmul_gflops": round(self.matmul / 1e9, 1),
            "memory_gbs": round(self.memory / 1e9, 1),
            "weights_gbs": round(self.weights / 1e9, 1),
        }


def candidates(weight_bytes: int) -> dict[str, Callable[[], object]]:
    """What takes its turns among the candidates; see `limit`."""
    memory = np.ones(STREAMED // 4, "float32")
    matrix = np.ones((64, _columns(weight_bytes)), "float32")
    row, into = np.ones(64, "float32"), np.empty(matrix.shape[1], "float32")

    def weights() -> None:
        for _ in range(AGAIN):
            np.dot(row, matrix, out=into)

    return {MATMUL: matmul(), MEMORY: lambda: memory.max(), WEIGHTS: weights}


def matmul() -> Callable[[], float]:
    """The product of two matrices of `SIDE` rows and columns."""
    matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype("float32")
    into = np.empty_like(matrix)
    return lambda: float(np.matmul(matrix, matrix, out=into)[0, 0])


def limit(seconds: Mapping[str, np.ndarray], weight_bytes: int) -> Limit:
    """The rates behind the times of `candidates`, of the best call: a limit is what was possible."""
    best = {name: float(values.min()) for name, values in seconds.items() if name in (MATMUL, MEMORY, WEIGHTS)}
    read = 4 * 64 * _columns(weight_bytes) * AGAIN
    return Limit(2 * SIDE**3 / best[MATMUL], STREAMED / best[MEMORY], read / best[WEIGHTS])


def _columns(weight_bytes: int) -> int:
    return max(64, weight_bytes // 256)
