"""`zoo train`: run a recipe, with a progress bar, resumable after a kill."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo import recipes
from zoo.cli.output import AsJson, console, number, print_json, progress_console
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput
from zoo.recipes import Recipe

if TYPE_CHECKING:
    from zoo.recipes.training import Trained


def train(
    name: Annotated[str, typer.Argument(help="A recipe, for example gru.har or lstm.adding.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME/seedN unless given.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where the run's last checkpoint stands; from the start if there is none."),
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's own number.")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Trains a model by its recipe and says what it reached on the validation split."""
    recipe = recipes.get(name)
    if epochs is not None and epochs < 1:
        raise InvalidInput(f"--epochs {epochs} trains nothing: give a number from 1 up.")
    import_tensorflow()
    folder = out or Path("runs") / name / f"seed{seed}"
    found = _with_bar(recipe, folder, seed=seed, epochs=epochs, resume=resume)
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


def _with_bar(recipe: Recipe, folder: Path, *, seed: int, epochs: int | None, resume: bool) -> "Trained":
    """The bar is for a terminal; a file gets the lines of the epochs alone."""
    from zoo.recipes import training

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    no_bar = not progress_console.is_interactive
    with Progress(*columns, console=progress_console, transient=True, disable=no_bar) as bar:
        show = _Bar(bar, recipe.metric)
        try:
            return training.train(recipe, folder, seed=seed, epochs=epochs, resume=resume, report=show)
        except KeyboardInterrupt:
            text = "Interrupted. With --resume the same command goes on after the last finished epoch."
            bar.console.print(text, soft_wrap=True)
            raise


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
