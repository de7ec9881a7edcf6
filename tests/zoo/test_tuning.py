"""Studies: the default first, cut short, continued after any end, written as an override."""

import dataclasses
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.tiers import thorough
from zoo import datasets, recipes
from zoo.datasets import adding
from zoo.errors import InvalidInput, MissingDependency, UntrustedFile
from zoo.recipes import override
from zoo.tuning import Best, study, tune
from zoo.tuning.space import Choice, Range, defaults, space

RECIPE = dataclasses.replace(
    recipes.get("lstm.adding"),
    config={"recurrence": "simple_rnn", "units": [2], "features": 2, "normalize": False},
    batch_size=20,
)


def load():
    rng = np.random.default_rng(0)
    return datasets.Splits(*(adding.generate(rng, count, 4) for count in (60, 20, 20)))


DATA = dataclasses.replace(adding.DATASET, load=load)


def run(path, trials=2, recipe=RECIPE, **options):
    return tune(recipe, path, trials=trials, **{"epochs": 2, "dataset": DATA, **options})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder of a study of four trials, and what it found."""
    folder = tmp_path_factory.mktemp("tuned")
    return folder, run(folder / "study.db", trials=4)


@pytest.fixture
def begun(tuned, tmp_path):
    """The file of a copy of that study, to go on with, and what it found so far."""
    shutil.copy(tuned[0] / "study.db", tmp_path)
    return tmp_path / "study.db", tuned[1]


def test_the_recipe_itself_is_the_first_trial_and_the_best_is_no_worse(tuned):
    _, found = tuned
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]
    assert (
        found.default.settings
        == defaults(RECIPE)
        == {
            "learning_rate": 1e-2,
            "weight_decay": 0.0,
            "batch_size": 20,
            "warmup": 0.1,
        }
    )
    assert found.best.value == min(trial.value for trial in found.trials)


def test_every_setting_stays_in_its_space(tuned):
    _, found = tuned
    for trial in found.trials:
        for name, item in space(RECIPE).items():
            value = trial.settings[name]
            assert value in item.values if isinstance(item, Choice) else item.low <= value <= item.high


@pytest.mark.parametrize("name", ["gru.har", "lstm.adding", "bilstm.har"])
def test_a_recipes_own_settings_lie_in_its_space(name):
    recipe = recipes.get(name)
    for setting, item in space(recipe).items():
        value = override.value(recipe, setting)
        assert value in item.values if isinstance(item, Choice) else item.low <= value <= item.high
        assert not (isinstance(item, Range) and item.log and item.low <= 0)


def test_the_best_is_an_override_that_the_recipe_takes(tuned):
    folder, found = tuned
    content = json.loads((folder / "study.json").read_text())
    assert content["recipe"] == "lstm.adding" and content["settings"] == found.best.settings
    assert content["found"] == {
        "metric": "mean_squared_error",
        "validation": found.best.value,
        "validation_of_the_default": found.default.value,
        "trials": 4,
        "epochs_a_trial": 2,
        "study": "study.db",
    }
    recipe = override.read(folder / "study.json", RECIPE)
    assert recipe.learning_rate == found.best.settings["learning_rate"]


def test_a_study_goes_on_where_it_stopped(begun):
    path, first = begun
    second = run(path, trials=5)
    assert second.trials[:4] == first.trials and len(second.trials) == 5
    assert run(path, trials=1) == second


def test_a_trial_that_falls_behind_is_cut_short(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "STARTUP", 1)
    worse = iter(range(100))

    def train(recipe, folder, *, seed, epochs, dataset, report):
        loss = float(next(worse))
        for epoch in range(1, epochs + 1):
            report(training_step(epoch, epochs, loss))
        return type("Trained", (), {"validation": loss})

    monkeypatch.setattr(study.training, "train", train)
    found = run(tmp_path / "study.db", trials=3, epochs=5)
    assert [(trial.epochs, trial.pruned) for trial in found.trials] == [(5, False), (2, True), (2, True)]


def test_a_trial_cut_short_has_the_best_it_reached(tmp_path, monkeypatch):
    values = {0: [0.1], 1: [0.15, 0.3, math.nan]}
    numbers = itertools.count()

    def train(recipe, folder, *, seed, epochs, dataset, report):
        for epoch, value in enumerate(values[next(numbers)], 1):
            report(training_step(epoch, epochs, value))
        return type("Trained", (), {"validation": 0.1})

    monkeypatch.setattr(study.training, "train", train)
    assert [trial.value for trial in run(tmp_path / "study.db").trials] == [0.1, 0.15]


def test_trials_that_all_diverge_are_named(tmp_path, monkeypatch):
    def train(recipe, folder, *, seed, epochs, dataset, report):
        report(training_step(1, epochs, math.nan))

    monkeypatch.setattr(study.training, "train", train)
    text = "None of the 2 trials came to a finite score: look at the data, or try more."
    fails(InvalidInput, lambda: run(tmp_path / "study.db"), text)


def test_a_seed_is_checked_before_the_study_is_made(tmp_path):
    text = f"seed=-1 is no seed: give a whole number from 0 to {2**32 - 1}."
    fails(InvalidInput, lambda: run(tmp_path / "study.db", seed=-1), text)
    assert not (tmp_path / "study.db").exists()


def test_the_file_of_the_best_settings_is_no_study(tmp_path):
    path = tmp_path / "study.json"
    text = f"--study {path} is where its best settings go: name the study itself otherwise, as in .db."
    fails(InvalidInput, lambda: run(path), text)


def test_a_short_run_of_a_recipe_without_an_average_has_none():
    assert study.budgeted(recipes.get("lstm.adding"), 24).average == 0


def training_step(epoch, epochs, loss):
    return study.Step(epoch, epochs, 1, 1, loss, validation=loss)


def test_a_run_that_diverges_is_a_trial_cut_short(tmp_path, monkeypatch):
    values = iter([1.0, float("nan"), 0.5])

    def train(recipe, folder, *, seed, epochs, dataset, report):
        value = next(values)
        report(training_step(1, epochs, value))
        return type("Trained", (), {"validation": value})

    monkeypatch.setattr(study.training, "train", train)
    found = run(tmp_path / "study.db", trials=3)
    assert [trial.pruned for trial in found.trials] == [False, True, False]
    assert found.best.value == 0.5


def test_an_interrupted_trial_starts_again(begun):
    path, tried = begun[0], []

    def interrupt(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, trials=5, report=interrupt, started=lambda number, settings: tried.append(settings))
    found = run(path, trials=5)
    assert len(found.trials) == 5 and found.trials[4].settings == tried[0]


KILLED = """
import sys
from pathlib import Path
from tests.zoo import test_tuning
def report(step):
    print("step", flush=True)
    import time; time.sleep(60)
test_tuning.run(Path(sys.argv[1]), trials=2, report=report)
"""


@thorough
def test_a_killed_study_goes_on(tmp_path):
    path = tmp_path / "study.db"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with process.stdout:
        assert process.stdout.readline() == "step\n"
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    found = run(path, trials=1)
    assert len(found.trials) == 1 and found.default.settings == defaults(RECIPE)


def fails(kind, call, text):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == text


def test_another_study_is_not_continued(begun):
    path, _ = begun
    identity = {"config": RECIPE.config, "epochs": 2, "recipe": "lstm.adding", "seed": 0}
    other = {**identity, "epochs": 3}
    fails(
        InvalidInput,
        lambda: run(path, epochs=3),
        f"{path} is a study of {json.dumps(identity, sort_keys=True)}, not of {json.dumps(other, sort_keys=True)}: "
        "choose another --study.",
    )


def test_what_is_no_study_is_refused(tmp_path):
    path = tmp_path / "study.db"
    path.write_text("years of work " * 100)
    with pytest.raises(UntrustedFile) as error:
        run(path)
    assert str(error.value).startswith(f"{path} is not a study (")
    assert str(error.value).endswith("). Choose another --study.")
    assert path.read_text() == "years of work " * 100


def test_no_trials_try_nothing(tmp_path):
    text = "0 trials of 2 epochs try nothing: give numbers from 1 up."
    fails(InvalidInput, lambda: run(tmp_path / "study.db", trials=0), text)


def test_without_optuna_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    text = "Tuning needs Optuna: pip install 'recurrent-zoo[tune]'."
    fails(MissingDependency, lambda: run(tmp_path / "study.db"), text)


def test_the_command_prints_what_it_found(tmp_path, zoo_command, monkeypatch):
    started = time.time()
    trial = study.Trial(0, defaults(RECIPE), 0.25, 2, False)
    better = dataclasses.replace(trial, number=1, value=0.125, settings={**trial.settings, "warmup": 0.25})
    monkeypatch.setattr(
        "zoo.tuning.tune", lambda *_, finished, **__: finished(better) or Best((trial, better), better, trial)
    )
    path = tmp_path / "study.db"
    answer = zoo_command("tune", "lstm.adding", "--trials", 2, "--study", path)
    assert answer.code == 0 and time.time() >= started
    assert "lstm.adding: validation mean_squared_error 0.25 as it is, 0.125 at best" in answer.out
    assert f"zoo train lstm.adding --override {path.with_suffix('.json')}" in answer.out
    assert "trial 1  mean_squared_error 0.125  learning_rate 0.01" in answer.err
    facts = json.loads(zoo_command("tune", "lstm.adding", "--study", path, "--json").out)
    assert facts["best"]["settings"]["warmup"] == 0.25 and facts["override"] == str(path.with_suffix(".json"))
