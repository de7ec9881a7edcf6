"""Few labelled examples: a score against 10, 50 and 200 a class, from scratch and from a pretrained model.

Pretraining sees the 21 official training subjects of UCI HAR and three activities only: walking, sitting, laying. The
task is all six activities of other people: of the nine official test subjects, five give the labelled examples and
four, who give none, the score. So pretraining saw none of these people, and half of the activities of nobody. Each
number is the mean over three draws of the examples; every run has the same model, augmentation and number of epochs.

Run `python -m zoo.benchmarks.small_data` (about five minutes on two cores) to write `results/small_data.csv` and
`results/small_data.png`.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import datasets, recipes
from zoo.benchmarks import process, results
from zoo.datasets import Dataset, Split, Splits
from zoo.evaluation import accuracy
from zoo.recipes import own_data, training
from zoo.recipes.transfer import Start

PACKAGES = ("tensorflow-cpu", "keras")
RECIPE = "gru.har"
PRETRAINED_ON = ("walking", "sitting", "laying")
LABELLED, SCORED = (2, 4, 9, 10, 12), (13, 18, 20, 24)  # official test subjects
PER_CLASS, SEEDS = (10, 50, 200), (0, 1, 2)
PRETRAINING_EPOCHS, EPOCHS = 10, 20
STARTS = ("from scratch", "pretrained", "pretrained, frozen")


def parts(data: Dataset) -> tuple[Dataset, Split, Split]:
    """What pretraining sees, the pool that labelled examples are drawn from, and the examples that are scored."""
    splits = data.load()
    known = [data.labels.index(name) for name in PRETRAINED_ON]

    def three(split: Split) -> Split:
        kept = split.take(np.isin(split.y, known))
        return Split(kept.x, np.searchsorted(np.sort(known), kept.y).astype("int32"), kept.groups)

    seen = Splits(three(splits.train), three(splits.validation), three(splits.test.take(slice(0, 0))))
    assert splits.test.groups is not None
    pool, scored = (splits.test.take(np.isin(splits.test.groups, people)) for people in (LABELLED, SCORED))
    return dataclasses.replace(data, labels=PRETRAINED_ON, load=lambda: seen), pool, scored


def draw(pool: Split, count: int, seed: int) -> Dataset:
    """`count` examples of each class to train on; as validation the same, since no others are labelled."""
    rng = np.random.default_rng([seed, count])
    classes = np.unique(pool.y)
    chosen = np.concatenate([rng.permutation(np.nonzero(pool.y == name)[0])[:count] for name in classes])
    drawn = pool.take(chosen)
    data = datasets.get("har")
    return dataclasses.replace(data, load=lambda: Splits(drawn, drawn, drawn))


def pretrain(data: Dataset, folder: Path, epochs: int = PRETRAINING_EPOCHS) -> keras.Model:
    recipe = own_data.fitted(recipes.get(RECIPE), data, epochs)
    return training.train(recipe, folder, epochs=epochs, dataset=data).model


def measure(
    source: keras.Model, pool: Split, scored: Split, count: int, start: str, seed: int, epochs: int = EPOCHS
) -> dict[str, Any]:
    """One run: its accuracy on people who gave no example."""
    data = draw(pool, count, seed)
    recipe = own_data.fitted(recipes.get(RECIPE), data, epochs)
    if start != STARTS[0]:
        recipe = dataclasses.replace(recipe, start=Start(source, frozen=start.endswith("frozen")))
    with tempfile.TemporaryDirectory() as folder:
        found = training.train(recipe, Path(folder), seed=seed, epochs=epochs, dataset=data)
    logits = found.model.predict(scored.x, batch_size=256, verbose=0)
    return {
        "recipe": RECIPE,
        "start": start,
        "examples_per_class": count,
        "seed": seed,
        "accuracy": round(accuracy(scored.y, logits), 4),
        "examples_scored": len(scored),
        "epochs": epochs,
        "seconds": round(sum(epoch["seconds"] for epoch in found.progress.history), 1),
        **results.conditions(PACKAGES, threads=process.cores()),
    }


def run() -> list[dict[str, Any]]:
    seen, pool, scored = parts(datasets.get("har"))
    with tempfile.TemporaryDirectory() as folder:
        source = pretrain(seen, Path(folder))
    rows = []
    for count in PER_CLASS:
        for start in STARTS:
            rows += [measure(source, pool, scored, count, start, seed) for seed in SEEDS]
            found = [row["accuracy"] for row in rows[-len(SEEDS) :]]
            print(f"{count} a class, {start}: {found}", file=sys.stderr)
    return rows


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Mean and range over the seeds against the number of examples."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    panel = figure.subplots()
    for start in STARTS:
        values = np.array(
            [
                [float(row["accuracy"]) for row in rows if (row["start"], int(row["examples_per_class"])) == (start, n)]
                for n in PER_CLASS
            ]
        )
        (line,) = panel.plot(PER_CLASS, 100 * values.mean(1), marker="o", label=start)
        panel.fill_between(PER_CLASS, 100 * values.min(1), 100 * values.max(1), alpha=0.15, color=line.get_color())
    panel.set_xscale("log")
    panel.set_xticks(PER_CLASS, [str(count) for count in PER_CLASS], minor=False)
    panel.minorticks_off()
    panel.set(xlabel="labelled examples of each class", ylabel="accuracy on other people, %")
    panel.set_title("Six activities, pretrained on three: mean and range over 3 seeds", fontsize=10)
    panel.grid(alpha=0.3)
    panel.legend()
    figure.savefig(path, dpi=100)
    return path


if __name__ == "__main__":
    found = run()
    print(results.write("small_data", found))
    print(plot(found, results.FOLDER / "small_data.png"))
