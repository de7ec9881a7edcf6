"""A study: trials of a recipe one after the other, each cut short once it falls behind, kept in a SQLite file.

The first trial is the recipe as it is, so the best is never worse than the default under the same budget. A study
that was interrupted or killed goes on where it stopped; the trial it was in starts again.
"""

import dataclasses
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.datasets import Dataset
from zoo.errors import InvalidInput, MissingDependency, UntrustedFile
from zoo.evaluation import metric
from zoo.recipes import Recipe, override, training
from zoo.recipes.training import Step
from zoo.tuning.space import defaults, space, suggest

STARTUP = 5  # trials that are never cut short: the median of fewer says little; nor is one in its first epoch


@dataclass(frozen=True)
class Trial:
    """One finished trial: `value` is its best validation score; `pruned` that it was cut short."""

    number: int
    settings: dict[str, Any]
    value: float
    epochs: int
    pruned: bool


@dataclass(frozen=True)
class Best:
    """What a study has found: all trials in order, the default among them, and the best."""

    trials: tuple[Trial, ...]
    best: Trial
    default: Trial


def tune(
    recipe: Recipe,
    path: Path,
    *,
    trials: int,
    epochs: int,
    seed: int = 0,
    dataset: Dataset | None = None,
    started: Callable[[int, dict[str, Any]], None] = lambda number, settings: None,
    report: Callable[[Step], None] = lambda step: None,
    finished: Callable[[Trial], None] = lambda trial: None,
) -> Best:
    """Goes on with the study in `path` until it holds `trials` trials of at most `epochs` epochs.

    After every trial the best settings stand in the override beside it (`path` with the suffix .json).
    Raises InvalidInput if the file holds a study of something else or no trial came to a score, UntrustedFile if it
    holds none, MissingDependency without Optuna; KeyboardInterrupt passes, with the study in order.
    """
    if trials < 1 or epochs < 1:
        raise InvalidInput(f"{trials} trials of {epochs} epochs try nothing: give numbers from 1 up.")
    training.require_seed(seed)
    if path.suffix == ".json":
        raise InvalidInput(f"--study {path} is where its best settings go: name the study itself otherwise, as in .db.")
    study = _open(recipe, path, epochs, seed)
    while len(_done(study)) < trials:
        trial = study.ask()
        settings = suggest(trial, space(recipe))
        started(trial.number, settings)
        _run(study, trial, budgeted(override.apply(recipe, settings), epochs), epochs, seed, dataset, report)
        finished(_read(study, study.trials[trial.number]))
        _write(recipe, path, study, epochs)
    return _summary(study)


def budgeted(recipe: Recipe, epochs: int) -> Recipe:
    """`recipe` for a run of so many epochs: the average of its weights reaches back over the same share of the run.

    >>> from zoo import recipes
    >>> round(budgeted(recipes.get("gru.har"), 5).average, 2)  # 0.99 over 30 epochs
    0.94
    """
    average = max(0.0, 1 - (1 - recipe.average) * recipe.epochs / epochs)
    return dataclasses.replace(recipe, average=average if recipe.average else 0.0)


def _run(
    study: Any,
    trial: Any,
    recipe: Recipe,
    epochs: int,
    seed: int,
    dataset: Dataset | None,
    report: Callable[[Step], None],
) -> None:
    """Trains one trial and tells the study how it ended; an interrupted one is put back in the queue."""
    import optuna

    def watch(step: Step) -> None:
        report(step)
        if step.validation is None:
            return
        trial.report(step.validation, step.epoch)
        if not math.isfinite(step.validation) or trial.should_prune():
            raise optuna.TrialPruned

    with tempfile.TemporaryDirectory() as folder:
        try:
            trained = training.train(recipe, Path(folder), seed=seed, epochs=epochs, dataset=dataset, report=watch)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except BaseException:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)
            raise
        else:
            study.tell(trial, trained.validation)


def _open(recipe: Recipe, path: Path, epochs: int, seed: int) -> Any:
    """The study in `path`, new or continued, with nothing left running."""
    try:
        import optuna
    except ImportError as error:
        raise MissingDependency("Tuning needs Optuna: pip install 'recurrent-zoo[tune]'.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    higher = metric(recipe.metric).higher_is_better
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name="zoo",
            load_if_exists=True,
            direction="maximize" if higher else "minimize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=2),
        )
    except OSError as error:
        raise InvalidInput(f"Cannot write to {path.parent}: {error.strerror}. Choose another --study.") from error
    except Exception as error:  # of SQLAlchemy or of Optuna, which wraps it
        raise UntrustedFile(f"{path} is not a study ({_first_line(error)}). Choose another --study.") from error
    _require_same(study, path, {"recipe": recipe.name, "config": recipe.config, "epochs": epochs, "seed": seed})
    if not study.trials:
        study.enqueue_trial(defaults(recipe))
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # of a process that was killed
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    # the sampler's own randomness starts anew with the process: a continued study must not repeat its first draws
    study.sampler = optuna.samplers.TPESampler(seed=(seed + len(study.trials)) % 2**32)
    return study


def _require_same(study: Any, path: Path, identity: dict[str, Any]) -> None:
    found, text = study.user_attrs.get("identity"), json.dumps(identity, sort_keys=True)
    if found is None:
        study.set_user_attr("identity", text)
    elif found != text:
        raise InvalidInput(f"{path} is a study of {found}, not of {text}: choose another --study.")


def _done(study: Any) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def _read(study: Any, trial: Any) -> Trial:
    """A trial that was cut short has the best of what it reached, NaN where it diverged at once."""
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    values = list(trial.intermediate_values.values())
    finite = [value for value in values if math.isfinite(value)] or [math.nan]
    best = max if study.direction == StudyDirection.MAXIMIZE else min
    value = trial.value if trial.value is not None else best(finite)
    return Trial(trial.number, dict(trial.params), float(value), len(values), trial.state == TrialState.PRUNED)


def _summary(study: Any) -> Best:
    found = tuple(_read(study, trial) for trial in _done(study))
    if all(trial.pruned for trial in found):
        raise InvalidInput(f"None of the {len(found)} trials came to a finite score: look at the data, or try more.")
    best = next(trial for trial in found if trial.number == study.best_trial.number)
    return Best(found, best, found[0])


def _write(recipe: Recipe, path: Path, study: Any, epochs: int) -> None:
    if all(_read(study, trial).pruned for trial in _done(study)):
        return
    found = _summary(study)
    evidence = {
        "metric": recipe.metric,
        "validation": found.best.value,
        "validation_of_the_default": found.default.value,
        "trials": len(found.trials),
        "epochs_a_trial": epochs,
        "study": path.name,
    }
    override.write(path.with_suffix(".json"), recipe, found.best.settings, evidence)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
