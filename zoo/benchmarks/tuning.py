"""What `zoo tune` finds: the best of 20 trials against the recipe as it is, under the same short budget.

Trials of `gru.har` last five epochs on four training subjects (those of `overfitting`) and are judged on the three
validation subjects; `zoo tune gru.har --trials 20` does the same with all subjects. The best of many is
flattered by the choice, so both settings are then trained again, three seeds, and scored on the test split, read once.

Run `python -m zoo.benchmarks.tuning` (about three minutes on two cores) to write `results/tuning.csv` (every trial) and
`results/tuned.csv` (both settings on the test split).
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from zoo import datasets, recipes
from zoo.benchmarks import results
from zoo.benchmarks.overfitting import few_people
from zoo.datasets import Dataset
from zoo.evaluation import metric
from zoo.recipes import Recipe, override, training
from zoo.tuning import Best, Trial, tune
from zoo.tuning.study import budgeted

PACKAGES = ("tensorflow-cpu", "keras", "optuna")
RECIPE, TRIALS, EPOCHS, SEEDS = "gru.har", 20, 5, (1, 2, 3)  # 0 is that of the trials


def trials(found: Best, recipe: Recipe, epochs: int) -> list[dict[str, Any]]:
    """One row a trial, in order; trial 0 is the recipe as it is."""
    facts = results.conditions(PACKAGES)
    return [
        {
            "recipe": recipe.name,
            "trial": trial.number,
            "validation": round(trial.value, 4),
            "best": trial.number == found.best.number,
            "epochs": trial.epochs,
            "of": epochs,
            "settings": json.dumps({name: _short(value) for name, value in trial.settings.items()}),
            **facts,
        }
        for trial in found.trials
    ]


def again(recipe: Recipe, data: Dataset, which: str, trial: Trial, seed: int, epochs: int) -> dict[str, Any]:
    """A row with the test score of a trial's settings, trained anew."""
    changed = budgeted(override.apply(recipe, trial.settings), epochs)
    with tempfile.TemporaryDirectory() as folder:
        found = training.train(changed, Path(folder), seed=seed, epochs=epochs, dataset=data)
    test = data.load().test
    outputs = found.model.predict(test.x, batch_size=256, verbose=0)
    return {
        "recipe": recipe.name,
        "settings": which,
        "seed": seed,
        "epochs": epochs,
        "validation": round(found.validation, 4),
        "test": round(metric(recipe.metric).measure(test.y, outputs), 4),
        **results.conditions(PACKAGES),
    }


def run(epochs: int = EPOCHS, count: int = TRIALS) -> None:
    recipe, data = recipes.get(RECIPE), datasets.get("har")
    splits = few_people(data.load())
    data = dataclasses.replace(data, load=lambda: splits)
    with tempfile.TemporaryDirectory() as folder:
        found = tune(recipe, Path(folder) / "study.db", trials=count, epochs=epochs, dataset=data, finished=_say)
    print(results.write("tuning", trials(found, recipe, epochs)))
    both = {"recipe": found.default, f"best of {count}": found.best}
    rows = [again(recipe, data, which, trial, seed, epochs) for which, trial in both.items() for seed in SEEDS]
    print(results.write("tuned", rows))


def _say(trial: Trial) -> None:
    print(trial, file=sys.stderr)


def _short(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else value


if __name__ == "__main__":
    run()
