import dataclasses
import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from zoo import datasets, recipes
from zoo.datasets import adding
from zoo.errors import InvalidInput, UnknownName, UntrustedFile
from zoo.recipes import checkpoint, training
from zoo.recipes.checkpoint import Progress

KILLED = """
import sys
from pathlib import Path
from tests.zoo import test_training
test_training.dropping(Path(sys.argv[1]), report=lambda step: print(step.epoch, step.step, flush=True))
"""


@pytest.fixture(scope="module", autouse=True)
def plain_graphs():
    """Training is tested with graphs as it runs them."""


def load():
    rng = np.random.default_rng(0)
    return datasets.Splits(*(adding.generate(rng, count, 12) for count in (200, 50, 50)))


RECIPE = dataclasses.replace(
    recipes.get("lstm.adding"),
    config={"recurrence": "lstm", "units": [4], "features": 2, "normalize": False},
    epochs=2,
    batch_size=50,
)


def train(folder, **options):
    """A run that takes seconds."""
    return training.train(RECIPE, folder, dataset=dataclasses.replace(adding.DATASET, load=load), **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished run, what it returned and what it reported."""
    folder, steps = tmp_path_factory.mktemp("trained") / "run", []
    return folder, train(folder, report=steps.append), steps


def weights(folder):
    found = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[...]}) if hasattr(item, "shape") else None)
    return found


def dropping(folder, **options):
    """A run of all that is drawn at random: dropout, augmentation, the order of the examples."""

    def splits():
        rng = np.random.default_rng(0)
        return datasets.Splits(*(adding.generate(rng, count, 20) for count in (600, 100, 100)))

    def shaken(rng, split):
        return dataclasses.replace(split, x=split.x + rng.normal(size=split.x.shape).astype("float32") * 0.01)

    config = {"recurrence": "lstm", "units": [8], "features": 2, "dropout": 0.2}
    settings = {"config": config, "batch_size": 50, "average": 0.9, "augment": shaken}
    recipe = dataclasses.replace(recipes.get("lstm.adding"), **settings)
    dataset = dataclasses.replace(adding.DATASET, load=splits)
    training.train(recipe, folder, seed=3, epochs=3, dataset=dataset, **options)


def killed(folder, until):
    """The same in a process of its own, killed with SIGKILL at the progress line `until`."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with process.stdout:
        for line in process.stdout:
            if line.strip() == until:
                process.send_signal(signal.SIGKILL)
    return process.wait()


def test_a_run_killed_in_the_middle_ends_with_the_weights_of_an_unbroken_run(tmp_path):
    dropping(tmp_path / "unbroken")
    assert killed(tmp_path / "broken", until="2 7") == -signal.SIGKILL
    dropping(tmp_path / "broken", resume=True)
    expected, found = weights(tmp_path / "unbroken"), weights(tmp_path / "broken")
    assert expected.keys() == found.keys() and len(expected) > 5
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_kept_weights_are_those_of_the_best_epoch(tmp_path):
    trained = train(tmp_path / "run", epochs=4)
    values = [epoch["validation"] for epoch in trained.progress.history]
    assert trained.validation == min(values)
    split = load().validation
    answer = trained.model.predict(split.x, verbose=0)
    assert np.mean((answer - split.y) ** 2) == pytest.approx(trained.validation, rel=1e-4)


def test_a_recipe_whose_split_is_too_small_to_choose_by_keeps_the_last_epoch(tmp_path):
    worse = dataclasses.replace(RECIPE, keep_last=True, learning_rate=30.0, warmup=0.9, clip_norm=100.0)
    run = training.train(worse, tmp_path / "run", dataset=dataclasses.replace(adding.DATASET, load=load), epochs=4)
    values = [epoch["validation"] for epoch in run.progress.history]
    assert run.progress.best == 3 and run.validation == values[3] > min(values)
    split = load().validation
    answer = run.model.predict(split.x, verbose=0)
    assert np.mean((answer - split.y) ** 2) == pytest.approx(values[3], rel=1e-4)


def test_every_step_and_epoch_is_reported(trained):
    _, _, steps = trained
    assert [(step.epoch, step.step) for step in steps if step.validation is None] == [
        (epoch, step) for epoch in (1, 2) for step in (1, 2, 3, 4)
    ]
    assert [step.epoch for step in steps if step.validation is not None] == [1, 2]


def test_another_seed_gives_other_weights(trained, tmp_path):
    first, second = (run.model.get_weights() for run in (trained[1], train(tmp_path / "run", seed=1)))
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, second, strict=True))


def test_a_folder_with_a_run_is_not_overwritten(trained):
    folder, before = trained[0], weights(trained[0])
    with pytest.raises(InvalidInput) as error:
        train(folder)
    assert str(error.value) == f"{folder} holds a run already: go on with --resume, or choose another --out."
    for name, value in weights(folder).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidInput) as error:
        train(tmp_path)
    assert str(error.value) == (f"{tmp_path} holds 'thesis.txt' and no run. Choose another --out, or empty the folder.")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput) as error:
        train(tmp_path / "file" / "run")
    assert str(error.value) == f"Cannot write to {tmp_path / 'file' / 'run'}: Not a directory. Choose another --out."


def test_a_folder_of_someone_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(training.os, "access", lambda *_: False)
    with pytest.raises(InvalidInput) as error:
        train(tmp_path)
    assert str(error.value) == f"Cannot write to {tmp_path}: Permission denied. Choose another --out."


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(tmp_path, seed):
    with pytest.raises(InvalidInput) as error:
        train(tmp_path / "run", seed=seed)
    assert str(error.value) == f"seed={seed} is no seed: give a whole number from 0 to 4294967295."
    assert not (tmp_path / "run").exists()


def test_weights_are_never_half_written(tmp_path, monkeypatch):
    def killed(model, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("keras.Model.save_weights", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run")
    monkeypatch.undo()
    assert not (tmp_path / "run" / "model.weights.h5").exists()
    train(tmp_path / "run", resume=True)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.npz", "model.weights.h5"]


def test_another_run_is_not_resumed(trained):
    folder = trained[0]
    with pytest.raises(InvalidInput) as error:
        train(folder, seed=1, resume=True)
    assert str(error.value) == (
        f"{folder / 'checkpoint.npz'} is another run: seed is 0 there and 1 here. Choose another --out."
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"learning_rate": 0.5}, f"learning_rate is {RECIPE.learning_rate!r} there and 0.5 here"),
        ({"patience": 3}, "patience is 0 there and 3 here"),
        ({"config": {**RECIPE.config, "units": [7]}}, f"config.units is {RECIPE.config['units']!r} there and [7] here"),
        ({"keep_last": True}, "keep_last is None there and True here"),
        ({"changed": {"data": "my.npz"}}, "changed is None there and {'data': 'my.npz'} here"),
    ],
)
def test_every_setting_tells_runs_apart(trained, change, text):
    path = trained[0] / "checkpoint.npz"
    found, _ = checkpoint.restore(path)
    with pytest.raises(InvalidInput) as error:
        checkpoint.require_same(path, found.identity, dataclasses.replace(RECIPE, **change).identity(0, 2), "Go.")
    assert str(error.value) == f"{path} is another run: {text}. Go."


def test_no_epochs_train_nothing(tmp_path):
    with pytest.raises(InvalidInput, match=r"^epochs=-1 trains nothing: give a number from 1 up\.$"):
        train(tmp_path / "run", epochs=-1)


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_damaged_checkpoint_is_refused(tmp_path, keep):
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, Progress({"recipe": "x"}), {"model": [np.arange(1000.0)]})
    content = path.read_bytes()
    path.write_bytes(content[: keep if keep > 1 or keep == 0 else int(len(content) * keep)])
    with pytest.raises(UntrustedFile) as error:
        checkpoint.restore(path)
    assert str(error.value).startswith(f"{path} is not a readable checkpoint (")
    assert str(error.value).endswith("). Delete it and train again.")


def test_a_checkpoint_gives_back_what_was_saved(tmp_path):
    path = tmp_path / "checkpoint.npz"
    progress = Progress({"recipe": "x", "seed": 2}, epoch=1, best=0, history=[{"loss": 0.5}])
    arrays = [np.arange(12.0), np.array(3, "int32")] + [np.full(2, value) for value in range(10)]
    checkpoint.save(path, progress, {"model": arrays})
    found, groups = checkpoint.restore(path)
    assert found == progress
    for given, read in zip(arrays, groups["model"], strict=True):
        np.testing.assert_array_equal(given, read)
        assert given.dtype == read.dtype


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, Progress({"recipe": "x"}), {"model": [np.zeros(3)]})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(path, Progress({"recipe": "x"}, epoch=1), {"model": [np.ones(3)]})
    assert checkpoint.restore(path)[0].epoch == 0


def test_an_unknown_recipe_gets_its_nearest():
    with pytest.raises(UnknownName) as error:
        recipes.get("gru.hat")
    assert str(error.value) == (
        f"Unknown recipe 'gru.hat'. Did you mean 'gru.har'? The recipes are {', '.join(recipes.names())}."
    )


def test_recipes_stand_in_order_and_each_once():
    assert recipes.names() == sorted(set(recipes.names()))


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_opens_with_its_contract(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    first, *rest = sys.modules[f"zoo.recipes.{name.replace('.', '_')}"].__doc__.splitlines()
    assert first.startswith(f"{name}: ")
    for heading in ("Run:", "Cost:", "Data:", "Expect:", "Departs:"):
        assert any(heading in line for line in rest), heading
