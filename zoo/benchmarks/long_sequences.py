"""Long dependencies: the adding problem over 600 and 2,000 steps, copy memory over 500, for each cell.

Every cell gets the same number of updates on fresh examples, the same optimizer and schedule; afterwards the cells of a
task take turns at a few updates more, which are timed. Run `python -m zoo.benchmarks.long_sequences` (about half an
hour on two cores) to write `results/long_sequences.csv`; it goes on with what lies in `runs/long_sequences`.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.benchmarks import process, results, timing
from zoo.cells import ChronoBias
from zoo.datasets import Split, adding, copying
from zoo.layers import GRU, LSTM, MinLSTM

PACKAGES = ("tensorflow-cpu", "keras")
UNITS, TEST, ROUNDS = 32, 500, 7


@dataclass(frozen=True)
class Task:
    """`length` steps lie between what must be kept and where it is asked for. By chance `error` is 1/6 (adding, always
    answering 1), or 7/8 (copying one of eight symbols)."""

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
    """Trains one model; a row with its error on examples it has not seen."""
    keras.utils.set_random_seed(seed)
    model = build(cell, task)
    for split in _batches(task, seed):
        model.train_on_batch(split.x, split.y)
    test = task.generate(np.random.default_rng(10_000 + seed), TEST, task.length)
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
    }


def times(task: Task, rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """{cell: the median time of an update, and of a time step of it}, the cells taking turns."""
    split = task.generate(np.random.default_rng(0), task.batch, task.length)

    def update(cell: str) -> Callable[[], Any]:
        model = build(cell, task)
        return lambda: model.train_on_batch(split.x, split.y)

    seconds = timing.interleaved({cell: update(cell) for cell in CELLS}, rounds, warm_up=2)
    medians = {cell: float(np.median(found)) for cell, found in seconds.items()}
    return {
        cell: {"ms_per_update": round(1e3 * median, 1), "us_per_step": round(1e6 * median / split.x.shape[1], 1)}
        for cell, median in medians.items()
    }


def _batches(task: Task, seed: int) -> Iterator[Split]:
    rng = np.random.default_rng([seed, task.length])
    return (task.generate(rng, task.batch, task.length) for _ in range(task.updates))


def run(folder: Path, tasks: Sequence[Task] = TASKS) -> list[dict[str, Any]]:
    """Rows with errors and times; each error is kept in `folder` as soon as it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = [_kept(folder, cell, task) for task in tasks for cell in CELLS]
    clocked = {(task.name, task.length): times(task) for task in tasks}
    facts = results.conditions(PACKAGES, threads=process.cores(), rounds=ROUNDS)
    return [{**row, **clocked[row["task"], row["length"]][row["cell"]], **facts} for row in errors]


def _kept(folder: Path, cell: str, task: Task) -> dict[str, Any]:
    """The row in its file in `folder`, measured where it is not there yet."""
    path = folder / f"{task.name}_{task.length}_{list(CELLS).index(cell)}.json"
    if not path.exists():
        row = measure(cell, task)
        path.write_text(json.dumps(row), "utf-8")
        print({name: row[name] for name in ("task", "length", "cell", "error")}, file=sys.stderr)
        keras.backend.clear_session()
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


if __name__ == "__main__":
    print(results.write("long_sequences", run(Path("runs") / "long_sequences")))
