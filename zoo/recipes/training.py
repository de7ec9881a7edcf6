"""The one training loop: seeded, checkpointed every epoch, resumable to the same weights, on every Keras backend."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import datasets, models
from zoo.datasets import Dataset, Split, Splits
from zoo.errors import InvalidInput
from zoo.evaluation import metric, outputs_of
from zoo.loading import WEIGHTS
from zoo.recipes import carried, checkpoint, losses, truncated
from zoo.recipes.batches import bucketed, cut_batches, runner
from zoo.recipes.checkpoint import Progress
from zoo.recipes.recipe import Recipe


@dataclass(frozen=True)
class Step:
    """What a progress bar shows: `epoch` and `step` count from 1; `validation` is set at the end of an epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    validation: float | None = None


Report = Callable[[Step], None]
CHECKPOINT, PARTIAL = "checkpoint.npz", "partial.weights.h5"


@dataclass(frozen=True)
class Trained:
    """The model with the kept weights, and how each epoch went."""

    model: keras.Model
    progress: Progress

    @property
    def validation(self) -> float:
        return self.progress.history[self.progress.best]["validation"]


def train(
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 0,
    epochs: int | None = None,
    resume: bool = False,
    dataset: Dataset | None = None,
    report: Report = lambda step: None,
) -> Trained:
    """Runs `recipe` in `folder` (`checkpoint.npz`, then `model.weights.h5`) and returns the kept model.

    `dataset` stands in for the recipe's own; it needs the same shapes.

    With `resume` it goes on where the checkpoint stands and ends with the weights of an unbroken run.
    Raises InvalidInput for a seed or a number of epochs that cannot be, for a folder that cannot be written to or holds
    something else or another run, or a run and `resume` is not set.
    """
    epochs = recipe.epochs if epochs is None else epochs
    if epochs < 1:
        raise InvalidInput(f"epochs={epochs} trains nothing: give a number from 1 up.")
    require_seed(seed)
    _prepare(folder, resume)
    data = dataset or datasets.get(recipe.dataset)
    run = _Run(recipe, folder, seed, epochs, data.load())
    run.resume()
    while run.progress.epoch < run.epochs and not run.is_patience_out():
        run.one_epoch(report)
    run.load(run.kept)
    run.let_go()
    if recipe.calibrate:
        recipe.calibrate(run.model, run.splits.validation)
    run.model.save_weights(folder / PARTIAL)
    os.replace(folder / PARTIAL, folder / WEIGHTS)
    return Trained(run.model, run.progress)


def require_seed(seed: int) -> None:
    """Raises InvalidInput for one that a generator does not take."""
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"seed={seed} is no seed: give a whole number from 0 to {2**32 - 1}.")


def _prepare(folder: Path, resume: bool) -> None:
    """Makes the folder of a run, and refuses one that no run can be written to."""
    if (folder / CHECKPOINT).exists():
        if not resume:
            raise InvalidInput(f"{folder} holds a run already: go on with --resume, or choose another --out.")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in folder.iterdir() if "partial" not in path.name)
    except OSError as error:
        raise InvalidInput(f"Cannot write to {folder}: {error.strerror}. Choose another --out.") from error
    if not os.access(folder, os.W_OK):
        raise InvalidInput(f"Cannot write to {folder}: Permission denied. Choose another --out.")
    if strange:
        raise InvalidInput(f"{folder} holds {strange[0]!r} and no run. Choose another --out, or empty the folder.")


class _Run:
    def __init__(self, recipe: Recipe, folder: Path, seed: int, epochs: int, splits: Splits) -> None:
        self.recipe, self.path, self.seed, self.epochs = recipe, folder / CHECKPOINT, seed, epochs
        self.metric = metric(recipe.metric)
        self.progress = Progress(recipe.identity(seed, epochs))
        keras.utils.set_random_seed(seed)
        self.splits = splits
        if recipe.carry:
            self.steps = carried.batches(self.splits.train, recipe.batch_size, recipe.carry)
        else:
            self.steps = len(self.splits.train) // recipe.batch_size
        if not self.steps:
            raise InvalidInput(
                f"batch_size={recipe.batch_size} is more than the training split holds: nothing is trained."
            )
        lanes = {"lanes": recipe.batch_size} if recipe.carry else {}
        self.model = models.build(recipe.family, {**recipe.config, **lanes})
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.adapt(self.splits.train.x)
        if recipe.start:
            recipe.start(self.model)
        # XLA on the CPU makes stacked recurrences five times slower; the JAX backend cannot do without it.
        jit = keras.backend.backend() != "tensorflow"
        self.model.compile(_optimizer(recipe, self.steps * epochs), losses.build(recipe), jit_compile=jit)
        self.model.optimizer.build(self.model.trainable_variables)
        self.average = self.weights()
        self.kept = self.weights()
        self.run = runner(self.model)

    def resume(self) -> None:
        if not self.path.exists():
            return
        found, groups = checkpoint.restore(self.path)
        checkpoint.require_same(self.path, found.identity, self.progress.identity, "Choose another --out.")
        self.progress, self.average, self.kept = found, groups["average"], groups["kept"]
        _assign(self.model.variables, groups["model"])
        _assign(self.model.optimizer.variables, groups["optimizer"])

    def one_epoch(self, report: Report) -> None:
        epoch, started = self.progress.epoch, time.perf_counter()
        callback = _EveryStep(self, report)
        data = self.epoch_data(np.random.default_rng([self.seed, epoch]))
        batch = self.recipe.batch_size
        if self.recipe.bucketed:
            self.model.fit(cut_batches(data, batch), shuffle=False, verbose=0, callbacks=[callback])
        else:
            self.model.fit(data.x, data.y, batch_size=batch, shuffle=False, verbose=0, callbacks=[callback])
        validation, loss = self.validate(), callback.loss
        seconds = time.perf_counter() - started
        self.progress.history.append({"loss": loss, "validation": validation, "seconds": seconds})
        if self.recipe.keep_last or self._is_best(validation):
            self.progress.best, self.kept = epoch, self.judged()
        self.progress.epoch = epoch + 1
        self.save()
        report(Step(epoch + 1, self.epochs, self.steps, self.steps, loss, validation))

    def epoch_data(self, rng: np.random.Generator) -> Split:
        """The training split in a new order, augmented; the remainder of the last batch is left out."""
        train, batch = self.splits.train, self.recipe.batch_size
        if self.recipe.carry:
            truncated.reset(self.model)
            return carried.epoch(rng, train, batch, self.recipe.carry)
        order = bucketed(rng, train.x, batch) if self.recipe.bucketed else rng.permutation(len(train))
        split = train.take(order[: self.steps * batch])
        return self.recipe.augment(rng, split) if self.recipe.augment else split

    def weights(self) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(variable).copy() for variable in self.model.weights]

    def judged(self) -> list[np.ndarray]:
        return [value.copy() for value in self.average] if self.recipe.average else self.weights()

    def load(self, weights: Sequence[np.ndarray]) -> None:
        _assign(self.model.weights, weights)

    def let_go(self) -> None:
        """Of states that were carried: from here on the model takes any number of rows, each from zero states."""
        if self.recipe.carry:
            self.model = models.build(self.recipe.family, self.recipe.config)
            self.load(self.kept)

    def validate(self) -> float:
        current = self.weights()
        self.load(self.judged())
        value = self._measured(self.splits.validation)
        self.load(current)
        return value

    def _measured(self, split: Split) -> float:
        if self.recipe.judge:
            return self.metric.measure(split.texts, self.recipe.judge(self.model, split))
        if self.recipe.carry:
            return self.metric.measure(split.y, carried.surprisals(self.model, split, self.recipe.carry))
        return self.metric.measure(split.y, outputs_of(self.run, split.x))

    def _is_best(self, validation: float) -> bool:
        if self.progress.best < 0:
            return True
        return self.metric.better(validation, self.progress.history[self.progress.best]["validation"])

    def is_patience_out(self) -> bool:
        return 0 < self.recipe.patience <= self.progress.epoch - 1 - self.progress.best

    def save(self) -> None:
        groups = {
            "model": _values(self.model.variables),
            "optimizer": _values(self.model.optimizer.variables),
            "average": self.average,
            "kept": self.kept,
        }
        checkpoint.save(self.path, self.progress, groups)


class _EveryStep(keras.callbacks.Callback):
    """Reports each step and moves the average of the weights along."""

    def __init__(self, run: _Run, report: Report) -> None:
        super().__init__()
        self.run, self.report, self.loss = run, report, float("nan")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        run, self.loss = self.run, float(logs["loss"])
        if run.recipe.average:
            keep = run.recipe.average
            for mean, value in zip(run.average, run.weights(), strict=True):
                if mean.dtype.kind == "f":  # counters do not average
                    mean += (1 - keep) * (value - mean)
        self.report(Step(run.progress.epoch + 1, run.epochs, batch + 1, run.steps, self.loss))


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    warmup = int(recipe.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm)


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
