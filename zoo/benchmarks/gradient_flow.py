"""Gradient flow: the norm of d loss / d h_t, back through time, of cells as they are initialised.

The loss is a random linear function of the last hidden state after 501 steps of white noise; each h_t gets a zero
added to it, and the gradient of that zero is the derivative through everything that follows. Norms are the geometric
mean over sequences and seeds, relative to lag 0, in float64.

Run `python -m zoo.benchmarks.gradient_flow` (under a minute) to write `results/gradient_flow.csv` and
`results/gradient_flow.png`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.benchmarks import results
from zoo.cells import ChronoBias, GRUCell, LSTMCell

PACKAGES = ("tensorflow-cpu", "keras")
LAG, UNITS, FEATURES, BATCH, SEEDS = 500, 64, 8, 8, (0, 1, 2)
LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)  # of the rows that are written; the plot has all


def chrono(units: int, lag: int, seed: int) -> keras.layers.Layer:
    bias = ChronoBias(lag, units=units, seed=seed)
    return LSTMCell(units, bias_initializer=bias, unit_forget_bias=False, dtype="float64")


CELLS: dict[str, Callable[[int, int, int], keras.layers.Layer]] = {
    "SimpleRNN": lambda units, lag, seed: keras.layers.SimpleRNNCell(units, dtype="float64"),
    "GRU": lambda units, lag, seed: GRUCell(units, dtype="float64"),
    "LSTM": lambda units, lag, seed: LSTMCell(units, dtype="float64"),
    "LSTM, chrono bias": chrono,
}


class _Nudged(keras.layers.Layer):
    """The cell, its first state h plus the last `units` features of the input, which are zero."""

    def __init__(self, cell: Any) -> None:
        super().__init__(dtype="float64")
        self.cell, self.state_size = cell, cell.state_size
        self.built = True

    def call(self, inputs: Any, states: Any) -> tuple[Any, Any]:
        x, nudge = ops.split(inputs, [inputs.shape[-1] - self.cell.units], axis=-1)
        _, (h, *others) = self.cell(x, list(states))
        return h + nudge, [h + nudge, *others]


def flow(name: str, seed: int, lag: int = LAG, units: int = UNITS) -> np.ndarray:
    """||d loss / d h_(T-1-k)|| for lag k = 0 … `lag`, [lag + 1], the geometric mean over a batch of sequences."""
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    cell = CELLS[name](units, lag, seed)
    cell.build((None, FEATURES))
    layer = keras.layers.RNN(_Nudged(cell), dtype="float64")
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((BATCH, lag + 1, FEATURES))
    target = rng.standard_normal((BATCH, units))

    @tf.function
    def gradient(x: Any) -> Any:
        nudges = tf.zeros((BATCH, lag + 1, units), tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(nudges)
            loss = tf.reduce_sum(layer(tf.concat([x, nudges], -1)) * target)
        return tape.gradient(loss, nudges)

    norms = np.linalg.norm(gradient(tf.constant(x)).numpy(), axis=-1)[:, ::-1]
    return np.exp(np.log(np.maximum(norms, 1e-300)).mean(0))


def run(lag: int = LAG, seeds: Sequence[int] = SEEDS) -> dict[str, np.ndarray]:
    """For each cell the norm at every lag relative to lag 0, [lag + 1]."""
    curves = {}
    for name in CELLS:
        logs = np.log([flow(name, seed, lag) for seed in seeds]).mean(0)
        curves[name] = np.exp(logs - logs[0])
    return curves


def rows(curves: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    facts = {"units": UNITS, "features": FEATURES, "sequences": BATCH, "seeds": len(SEEDS)}
    conditions = results.conditions(PACKAGES)
    return [
        {"cell": name, "lag": lag, "norm": f"{curve[lag]:.3g}", **facts, **conditions}
        for name, curve in curves.items()
        for lag in LAGS
    ]


def plot(curves: Mapping[str, np.ndarray], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    panel = figure.subplots()
    for name, curve in curves.items():
        panel.semilogy(curve, label=name, linewidth=1.8)
    panel.axhline(1e-7, color="grey", linewidth=0.8, linestyle=":")
    panel.text(220, 1.6e-7, "float32 resolution", fontsize=8, color="dimgrey")
    panel.set(xlabel="lag, steps back from the loss", ylabel="norm of d loss / d h, lag 0 = 1", xlim=(0, None))
    panel.set_ylim(1e-16, 10)
    panel.set_title("Gradient flow at initialisation", fontsize=11)
    panel.grid(alpha=0.3)
    panel.legend(loc="center right")
    figure.savefig(path, dpi=100)
    return path


if __name__ == "__main__":
    found = run()
    print(results.write("gradient_flow", rows(found)))
    print(plot(found, results.FOLDER / "gradient_flow.png"))
