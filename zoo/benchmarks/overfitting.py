"""Overfitting: what each remedy does to the test score and to the gap between training and test.

An LSTM of 64 units on UCI HAR, but on four training subjects instead of 18 and without augmentation, so that it
overfits. Early stopping takes the epoch that is best on the three validation subjects; the other column is the last
epoch. The test split, nine other people, is read once a run, at the end, for both. Training accuracy is measured with
dropout off.

Run `python -m zoo.benchmarks.overfitting` (about six minutes on two cores) to write `results/overfitting.csv`.
"""

import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from zoo import datasets
from zoo.benchmarks import results
from zoo.cells import LSTMCell, ZoneoutCell
from zoo.datasets import Split, Splits
from zoo.evaluation import accuracy
from zoo.layers import LSTM, RNN, WeightDrop

PACKAGES = ("tensorflow-cpu", "keras")
UNITS, SUBJECTS, EPOCHS, BATCH, SEEDS = 64, (1, 3, 6, 7), 30, 64, (0, 1, 2)

REMEDIES: dict[str, Callable[[], keras.layers.Layer]] = {
    "none": lambda: LSTM(UNITS),
    "variational dropout 0.25": lambda: LSTM(UNITS, dropout=0.25, recurrent_dropout=0.25),
    "zoneout 0.1, 0.3": lambda: RNN(ZoneoutCell(LSTMCell(UNITS), hidden_rate=0.1, cell_rate=0.3)),
    "weight drop 0.5": lambda: WeightDrop(LSTM(UNITS), rate=0.5),
}


def few_people(splits: Splits) -> Splits:
    assert splits.train.groups is not None
    return Splits(splits.train.take(np.isin(splits.train.groups, SUBJECTS)), splits.validation, splits.test)


def build(remedy: str, train: Split, classes: int) -> keras.Model:
    frames = keras.Input(train.x.shape[1:])
    normalization = keras.layers.Normalization()
    normalization.adapt(train.x)
    logits = keras.layers.Dense(classes)(REMEDIES[remedy]()(normalization(frames)))
    model = keras.Model(frames, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3, clipnorm=1.0), loss, jit_compile=False)
    return model


class _Epochs(keras.callbacks.Callback):
    """Validation accuracy after each epoch, and the weights of the best."""

    def __init__(self, validation: Split) -> None:
        super().__init__()
        self.validation = validation
        self.history: list[float] = []
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.history.append(_score(self.model, self.validation))
        if self.history[-1] >= max(self.history):
            self.weights = self.model.get_weights()


def measure(remedy: str, splits: Splits, seed: int, epochs: int = EPOCHS) -> list[dict[str, Any]]:
    """Trains once; a row for the last epoch and one for early stopping."""
    keras.utils.set_random_seed(seed)
    model, watch = build(remedy, splits.train, int(splits.test.y.max()) + 1), _Epochs(splits.validation)
    model.fit(splits.train.x, splits.train.y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[watch])
    rows = [_row(remedy, "last epoch", model, splits, seed, epochs)]
    model.set_weights(watch.weights)
    stopped = 1 + max(range(epochs), key=lambda epoch: (watch.history[epoch], epoch))
    return [*rows, _row(remedy, "early stopping", model, splits, seed, stopped)]


def _row(remedy: str, kept: str, model: keras.Model, splits: Splits, seed: int, epoch: int) -> dict[str, Any]:
    train, validation, test = (_score(model, split) for split in (splits.train, splits.validation, splits.test))
    return {
        "remedy": remedy,
        "kept": kept,
        "seed": seed,
        "epoch": epoch,
        "train": round(train, 4),
        "validation": round(validation, 4),
        "test": round(test, 4),
        "gap": round(train - test, 4),
        "training_examples": len(splits.train),
        **results.conditions(PACKAGES),
    }


def _score(model: keras.Model, split: Split) -> float:
    return accuracy(split.y, model.predict(split.x, batch_size=256, verbose=0))


def run() -> list[dict[str, Any]]:
    splits = few_people(datasets.get("har").load())
    rows = []
    for remedy in REMEDIES:
        for seed in SEEDS:
            rows += measure(remedy, splits, seed)
            for row in rows[-2:]:
                print(remedy, seed, row["kept"], row["epoch"], row["train"], row["test"], file=sys.stderr)
    return rows


if __name__ == "__main__":
    print(results.write("overfitting", run()))
