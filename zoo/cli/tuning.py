"""`zoo tune`: better settings for a recipe by trial, resumable, the best written as an override."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo import recipes
from zoo.cli.output import AsJson, console, print_json, print_table, progress_console
from zoo.cli.quiet import import_tensorflow
from zoo.evaluation import number

if TYPE_CHECKING:
    from zoo.recipes import Recipe
    from zoo.tuning import Best, Trial


def tune(
    name: Annotated[str, typer.Argument(help="A recipe, for example gru.har or lstm.adding.")],
    trials: Annotated[int, typer.Option(help="How many trials the study shall hold in the end.", min=1)] = 20,
    epochs: Annotated[
        int | None, typer.Option(help="Of each trial; a sixth of the recipe's, at least 3, unless given.", min=1)
    ] = None,
    study: Annotated[Path | None, typer.Option(help="SQLite file; runs/tune/NAME.db unless given.")] = None,
    seed: Annotated[int, typer.Option(help="Of every trial's training.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Searches the settings of a recipe on its validation split. The same command goes on with a study."""
    recipe = recipes.get(name)
    import_tensorflow()
    path = study or Path("runs") / "tune" / f"{name}.db"
    found = _with_bar(recipe, path, trials, epochs or max(3, recipe.epochs // 6), seed)
    override = path.with_suffix(".json")
    if as_json:
        print_json({"name": name, "study": str(path), "override": str(override), **dataclasses.asdict(found)})
        return
    default, best = (number(recipe.metric, trial.value) for trial in (found.default, found.best))
    console.print(f"{name}: validation {recipe.metric} {default} as it is, {best} at best", soft_wrap=True)
    rows = [(key, _text(found.default.settings[key]), _text(value)) for key, value in found.best.settings.items()]
    print_table(("setting", "recipe", "best"), rows, right=("recipe", "best"))
    console.print(f"zoo train {name} --override {override}", soft_wrap=True, markup=False)


def _with_bar(recipe: "Recipe", path: Path, trials: int, epochs: int, seed: int) -> "Best":
    from zoo import tuning

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=progress_console, transient=True, disable=not progress_console.is_interactive
    ) as bar:
        show = _Bar(bar, recipe.metric, epochs)
        try:
            return tuning.tune(
                recipe,
                path,
                trials=trials,
                epochs=epochs,
                seed=seed,
                started=show.started,
                report=show.step,
                finished=show.finished,
            )
        except KeyboardInterrupt:
            text = f"Interrupted. The same command goes on with the study in {path}; this trial starts again."
            bar.console.print(text, soft_wrap=True)
            raise


class _Bar:
    """One line a finished trial, one bar for the steps of the trial that runs."""

    def __init__(self, bar: Progress, metric: str, epochs: int) -> None:
        self.bar, self.metric, self.epochs = bar, metric, epochs
        self.task = bar.add_task("starting", total=None)

    def started(self, number: int, settings: dict[str, Any]) -> None:
        self.bar.update(self.task, description=f"trial {number}", completed=0, total=None)

    def step(self, step: Any) -> None:
        done = (step.epoch - 1) * step.steps + step.step
        self.bar.update(self.task, completed=done, total=self.epochs * step.steps)

    def finished(self, trial: "Trial") -> None:
        settings = ", ".join(f"{key} {_text(value)}" for key, value in trial.settings.items())
        cut = f", cut short after {trial.epochs} epochs" if trial.pruned else ""
        value = number(self.metric, trial.value)
        self.bar.console.print(f"trial {trial.number}  {self.metric} {value}{cut}  {settings}", soft_wrap=True)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
