"""`zoo train`: run a recipe, with a progress bar, resumable after a kill."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.cli.output import AsJson, console, number, print_json, progress_console
from zoo.errors import InvalidInput


def train(
    name: Annotated[str, typer.Argument(help="A recipe, for example gru.har or lstm.adding.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME/seedN unless given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run's last checkpoint stands.")] = False,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's own number.")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Trains a model by its recipe and says what it reached on the validation split."""
    from zoo import recipes
    from zoo.recipes import training

    recipe = recipes.get(name)
    if epochs is not None and epochs < 1:
        raise InvalidInput(f"--epochs {epochs} trains nothing: give a number from 1 up.")
    folder = out or Path("runs") / name / f"seed{seed}"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console) as bar:
        show = _Bar(bar, recipe.metric)
        found = training.train(recipe, folder, seed=seed, epochs=epochs, resume=resume, report=show)
    best = found.progress.best + 1
    if as_json:
        print_json(
            {
                "name": name,
                "seed": seed,
                "epochs": found.progress.epoch,
                "best_epoch": best,
                "metric": recipe.metric,
                "validation": found.validation,
                "path": str(folder / "model.weights.h5"),
            }
        )
        return
    value = number(recipe.metric, found.validation)
    console.print(
        f"{name}: validation {recipe.metric} {value} at epoch {best} of {found.progress.epoch}", soft_wrap=True
    )
    console.print(f"weights: {folder / 'model.weights.h5'}", soft_wrap=True, markup=False)


class _Bar:
    """One line a finished epoch, one bar for the epoch that runs."""

    def __init__(self, bar: Progress, metric: str) -> None:
        self.bar, self.metric = bar, metric
        self.task = bar.add_task("starting", total=None)

    def __call__(self, step: Any) -> None:
        title = f"epoch {step.epoch}/{step.epochs}  loss {step.loss:.4g}"
        self.bar.update(self.task, description=title, completed=step.step, total=step.steps)
        if step.validation is not None:
            self.bar.console.print(f"{title}  validation {self.metric} {number(self.metric, step.validation)}")
