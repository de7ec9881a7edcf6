"""Long dependencies: the adding problem over 600 and 2,000 steps, copy memory over 500, for each cell.

Every cell gets the same number of updates on fresh examples, the same optimizer and schedule. Run
`python -m zoo.benchmarks.long_sequences` (about half an hour on two cores) to write `results/long_sequences.csv`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.benchmarks import results
from zoo.cells import ChronoBias
from zoo.datasets import Split, adding, copying
from zoo.layers import GRU, LSTM, MinLSTM

PACKAGES = ("tensorflow-cpu", "keras")
UNITS, TEST = 32, 500


@dataclass(frozen=True)
class Task:
    """`length` steps lie between what must be kept and where it is asked for; `error` is 1 for an answer by chance."""

    name: str
    length: int
    updates: int
    batch: int
    learning_rate: float
    generate: Callable[[np.random.Generator, int, int], Split]
    classes: int = 0

    def error(self, model: keras.Model, split: Split) -> float:
        """Mean squared error; or the share of wrong symbols among those to be copied."""
        found = model.predict(split.x, batch_size=50, verbose=0)
        if not self.classes:
            return float(np.mean((found - split.y) ** 2))
        last = slice(-copying.COPIED, None)
        return float(np.mean(found[:, last].argmax(-1) != split.y[:, last]))


TASKS = (
    Task("adding", 600, 2500, 32, 5e-3, adding.generate),
    Task("copy", 500, 2000, 32, 5e-3, copying.generate, copying.CLASSES),
    Task("adding", 2000, 800, 32, 5e-3, adding.generate),
)
MEASURES = {"adding": "mean squared error, 0.167 by chance", "copy": "wrong symbols, 0.875 by chance"}


def lstm(task: Task) -> list[Any]:
    return [LSTM(UNITS, return_sequences=bool(task.classes))]


def lstm_chrono(task: Task) -> list[Any]:
    bias = ChronoBias(1.5 * task.length, units=UNITS, seed=0)
    return [LSTM(UNITS, bias_initializer=bias, unit_forget_bias=False, return_sequences=bool(task.classes))]


def gru(task: Task) -> list[Any]:
    return [GRU(UNITS, return_sequences=bool(task.classes))]


def min_lstm(task: Task) -> list[Any]:
    """Two layers: the gates of one see only the step at hand, so that two are needed for what depends on order."""
    return [MinLSTM(UNITS, return_sequences=True), MinLSTM(UNITS, return_sequences=bool(task.classes))]


CELLS: dict[str, Callable[[Task], list[Any]]] = {
    "LSTM": lstm,
    "LSTM, chrono bias": lstm_chrono,
    "GRU": gru,
    "minLSTM, 2 layers": min_lstm,
}


def build(cell: str, task: Task) -> keras.Model:
    frames = keras.Input(task.generate(np.random.default_rng(0), 1, task.length).x.shape[1:])
    x = frames
    for layer in CELLS[cell](task):
        x = layer(x)
    model = keras.Model(frames, keras.layers.Dense(task.classes or 1)(x))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, task.updates, warmup_target=task.learning_rate, warmup_steps=max(1, task.updates // 20)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if task.classes else "mse"
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss, jit_compile=False)
    return model


def measure(cell: str, task: Task, seed: int = 0) -> dict[str, Any]:
    """Trains one model; a row with its error on examples it has not seen and the time of an update."""
    keras.utils.set_random_seed(seed)
    model, seconds = build(cell, task), []
    for split in _batches(task, seed):
        started = time.perf_counter()
        model.train_on_batch(split.x, split.y)
        seconds.append(time.perf_counter() - started)
    test = task.generate(np.random.default_rng(10_000 + seed), TEST, task.length)
    per_update = float(np.median(seconds))
    return {
        "task": task.name,
        "length": task.length,
        "cell": cell,
        "seed": seed,
        "error": f"{task.error(model, test):.3g}",
        "measure": MEASURES[task.name],
        "updates": task.updates,
        "batch": task.batch,
        "parameters": model.count_params(),
        "ms_per_update": round(1e3 * per_update, 1),
        "us_per_step": round(1e6 * per_update / test.x.shape[1], 1),
        "seconds": round(sum(seconds)),
        **results.conditions(PACKAGES),
    }


def _batches(task: Task, seed: int) -> Iterator[Split]:
    rng = np.random.default_rng([seed, task.length])
    return (task.generate(rng, task.batch, task.length) for _ in range(task.updates))


def run(tasks: Sequence[Task] = TASKS) -> list[dict[str, Any]]:
    rows = []
    for task in tasks:
        for cell in CELLS:
            rows.append(measure(cell, task))
            results.write("long_sequences", rows)  # what is done stays, should the rest be interrupted
            print({name: rows[-1][name] for name in ("task", "length", "cell", "error", "seconds")}, file=sys.stderr)
            keras.backend.clear_session()
    return rows


if __name__ == "__main__":
    run()
