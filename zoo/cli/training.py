"""`zoo train`: run a recipe, with a progress bar, resumable after a kill; on own data, from trained weights."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo import datasets, recipes, registry
from zoo.cli.output import AsJson, console, print_json, progress_console
from zoo.cli.quiet import import_tensorflow
from zoo.datasets import Dataset, own
from zoo.errors import InvalidInput
from zoo.evaluation import metric, number
from zoo.recipes import Recipe, override, own_data

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
    data: Annotated[Path | None, typer.Option(help="Your own data: an .npz file with x and y.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="A pretrained model whose weights to start from.")] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="With --from: train the last layer alone.")] = False,
    settings: Annotated[Path | None, typer.Option("--override", help="Settings that `zoo tune` has written.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better validation score.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Trains a model by its recipe and says what it reached on the validation split."""
    if epochs is not None and epochs < 1:
        raise InvalidInput(f"--epochs {epochs} trains nothing: give a number from 1 up.")
    if freeze and not start:
        raise InvalidInput("--freeze keeps the weights of a pretrained model: name it with --from.")
    recipe = _changed(recipes.get(name), settings, patience)
    mine = _own(recipe, data) if data else None
    import_tensorflow()
    recipe = own_data.fitted(recipe, mine, epochs) if mine else recipe
    folder = out or _folder(name, seed, data, start, settings)
    if start:
        recipe = _started(recipe, start, freeze, mine)
    found = _with_bar(recipe, folder, seed=seed, epochs=epochs, resume=resume, dataset=mine)
    facts = {
        "name": name,
        "seed": seed,
        "epochs": found.progress.epoch,
        "best_epoch": found.progress.best + 1,
        "metric": recipe.metric,
        "validation": found.validation,
        "path": str(folder / "model.weights.h5"),
        **(_finish(found, recipe, folder, mine) if mine or start else {}),
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    name, metric = facts["name"], facts["metric"]
    lines = [
        f"{name}: validation {metric} {number(metric, facts['validation'])} "
        f"at epoch {facts['best_epoch']} of {facts['epochs']}"
    ]
    if facts.get("test") is not None:
        lines.append(f"{name}: test {metric} {number(metric, facts['test'])}")
    lines.append(f"weights: {facts['path']}")
    if "model" in facts:
        lines.append(f"model: {facts['model']}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _changed(recipe: Recipe, settings: Path | None, patience: int | None) -> Recipe:
    recipe = override.read(settings, recipe) if settings else recipe
    return dataclasses.replace(recipe, patience=patience) if patience else recipe


def _own(recipe: Recipe, path: Path) -> Dataset:
    own_data.require_family(recipe)
    return own.read(path, features=recipe.config["features"], classes=recipe.family == "classifier")


def _folder(name: str, seed: int, data: Path | None, start: str | None, settings: Path | None) -> Path:
    """A run with data, weights or settings of its own does not mix with those of the recipe."""
    marks = [data.stem if data else "", f"from-{start}" if start else "", settings.stem if settings else ""]
    return Path("runs") / "-".join([name, *filter(None, marks)]) / f"seed{seed}"


def _started(recipe: Recipe, start: str, freeze: bool, mine: Dataset | None) -> Recipe:
    """`recipe` from the weights of model `start`, those of the last layer too where it means the same classes."""
    from zoo.loading import load
    from zoo.recipes.transfer import Start

    labels = (mine or datasets.get(recipe.dataset)).labels
    head = bool(labels) and labels == registry.get(start).labels
    changed = {**recipe.changed, "from": start, "frozen": freeze}
    return dataclasses.replace(recipe, changed=changed, start=Start(load(start), head=head, frozen=freeze))


def _finish(found: "Trained", recipe: Recipe, folder: Path, mine: Dataset | None) -> dict[str, Any]:
    """Writes the model as a .keras file, which `zoo export` and `zoo inspect` take, and reads the user's test once."""
    from zoo import models

    path = folder / "model.keras"
    plain = models.build(recipe.family, recipe.config, name=recipe.name)  # without the loss, which others do not know
    plain.set_weights(found.model.get_weights())
    plain.save(path)
    facts: dict[str, Any] = {"model": str(path)}
    if mine:
        test = mine.load().test
        outputs = found.model.predict(test.x, batch_size=256, verbose=0) if len(test) else None
        score = None if outputs is None else metric(recipe.metric).measure(test.y, outputs)
        facts.update(labels=list(mine.labels), test=score)
    return facts


def _with_bar(
    recipe: Recipe, folder: Path, *, seed: int, epochs: int | None, resume: bool, dataset: Dataset | None
) -> "Trained":
    """The bar is for a terminal; a file gets the lines of the epochs alone."""
    from zoo.recipes import training

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    no_bar = not progress_console.is_interactive
    with Progress(*columns, console=progress_console, transient=True, disable=no_bar) as bar:
        show = _Bar(bar, recipe.metric)
        try:
            return training.train(recipe, folder, seed=seed, epochs=epochs, resume=resume, dataset=dataset, report=show)
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
