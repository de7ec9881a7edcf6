"""Data of one's own: what is read, what is refused, and training from trained weights."""

import dataclasses
import json
import struct
import zipfile

import keras
import numpy as np
import pytest

import zoo
from zoo import datasets, models, recipes
from zoo.datasets import own
from zoo.errors import InvalidInput
from zoo.recipes import override, own_data, training
from zoo.recipes.transfer import Start

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 9)).astype("float32")
Y = np.arange(20) % 4
RECIPE = dataclasses.replace(
    recipes.get("gru.har"),
    config={**recipes.get("gru.har").config, "units": [4], "dropout": 0.0},
    epochs=2,
    augment=None,
)


@pytest.fixture
def file(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "my.npz", **arrays)
        return tmp_path / "my.npz"

    return write


def read(path, features=9, classes=True):
    return own.read(path, features=features, classes=classes)


# --------------------------------------------------------------------------------------------------- reading


def test_a_fifth_of_every_class_is_held_out_the_same_every_time(file):
    data = read(file(x=X, y=Y))
    splits = data.load()
    assert data.labels == ("0", "1", "2", "3")
    assert np.bincount(splits.train.y).tolist() == [4] * 4 and np.bincount(splits.validation.y).tolist() == [1] * 4
    both = np.concatenate([splits.train.x, splits.validation.x])
    np.testing.assert_array_equal(np.sort(both, 0), np.sort(X, 0))
    np.testing.assert_array_equal(read(file(x=X, y=Y)).load().train.x, splits.train.x)
    assert len(splits.test) == 0


def test_parts_that_are_given_are_taken(file):
    splits = read(file(x=X, y=Y, x_validation=X[:8], y_validation=Y[:8], x_test=X[:4], y_test=Y[:4])).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (20, 8, 4)
    np.testing.assert_array_equal(splits.validation.x, X[:8])


def test_classes_may_be_names(file):
    names = np.array(["walk", "sit", "run", "fall"])
    data = read(file(x=X, y=names[Y], x_test=X[:2], y_test=["sit", "walk"]))
    assert data.labels == ("fall", "run", "sit", "walk")
    assert data.load().test.y.tolist() == [2, 3]
    ordered = read(file(x=X, y=names[Y], labels=names))
    assert ordered.labels == tuple(names)


def test_values_are_a_column(file):
    splits = read(file(x=X, y=RNG.normal(size=20)), classes=False).load()
    assert splits.train.y.shape == (16, 1) and splits.train.y.dtype == "float32"


NAN = X.copy()
NAN[3, 2, 1] = np.nan
BAD = {
    "x lacks": ({"y": Y}, "lacks 'x'; it holds y."),
    "y lacks": ({"x": X}, "lacks 'y'; it holds x."),
    "half a part": ({"x": X, "y": Y, "x_test": X}, "lacks 'y_test'; it holds x, x_test, y."),
    "another key": (
        {"x": X, "y": Y, "z": Y},
        "holds 'z'; it may hold x, y, x_validation, y_validation, x_test, y_test and labels.",
    ),
    "rank": ({"x": X[0], "y": Y}, ": x has shape [6, 9]; the model takes [examples, time, 9 features]."),
    "features": ({"x": X[..., :3], "y": Y}, ": x has shape [20, 6, 3]; the model takes [examples, time, 9 features]."),
    "empty": ({"x": X[:0], "y": Y[:0]}, ": y has dtype int64; classes are integers from 0 up, or names."),
    "text": ({"x": X.astype("U3"), "y": Y}, ": x has dtype <U3; it must hold numbers."),
    "nan": ({"x": NAN, "y": Y}, ": x holds nan at [3, 2, 1]. Fill or drop it."),
    "lengths": ({"x": X, "y": Y[:7]}, ": x has 20 examples, y has 7."),
    "one-hot": (
        {"x": X, "y": np.eye(4, dtype=int)[Y]},
        ": y has shape [20, 4]; classes are one number or name an example.",
    ),
    "scalar": ({"x": X, "y": np.array(1)}, ": y is a single number; it holds one for each of the 20 examples."),
    "all below": ({"x": X, "y": -Y - 1}, ": y holds -4; classes are integers from 0 up, or names."),
    "names in two rows": (
        {"x": X, "y": Y, "labels": [["a", "b"], ["c", "d"]]},
        ": labels has shape [2, 2]; it is a list of names.",
    ),
    "too large": (
        {"x": np.where(X > 2, 1e300, X.astype("float64")), "y": Y},
        f": x holds inf at {np.argwhere(X > 2)[0].tolist()}. Fill or drop it.",
    ),
    "float classes": ({"x": X, "y": Y + 0.5}, ": y has dtype float64; classes are integers from 0 up, or names."),
    "below": ({"x": X, "y": Y - 1}, ": y holds -1; classes are integers from 0 up, or names."),
    "below, with names": ({"x": X, "y": Y - 1, "labels": list("abcd")}, ": y[0] is -1; the 4 classes are 0 to 3."),
    "above": ({"x": X, "y": Y, "labels": ["a", "b"]}, ": y[2] is 2; the 2 classes are 0 to 1."),
    "one class": ({"x": X, "y": Y * 0}, ": y has one class, '0'; there must be two or more to tell apart."),
    "twice": ({"x": X, "y": Y, "labels": list("aabc")}, ": labels ['a', 'a', 'b', 'c'] name a class twice."),
    "missing class": ({"x": X, "y": Y * 2}, ": no example in y is of class '1'."),
    "unknown name": (
        {"x": X, "y": np.array(list("abcd"))[Y], "x_test": X[:1], "y_test": ["e"]},
        ": y_test names 'e', which is none of a, b, c, d.",
    ),
    "single": (
        {"x": X[:5], "y": Y[:5]},
        ": a class with one example cannot be held out: add examples, or x_validation and y_validation.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_by_name(file, case):
    arrays, text = BAD[case]
    path = file(**arrays)
    with pytest.raises(InvalidInput) as error:
        read(path)
    assert str(error.value) == f"{path}{'' if text.startswith(':') else ' '}{text}"


def test_values_must_be_finite_numbers(file):
    for y in (np.full(20, np.inf), np.full(20, 1e300), np.zeros((20, 0)), np.full(20, "a")):
        path = file(x=X, y=y)
        with pytest.raises(InvalidInput) as error:
            read(path, classes=False)
        assert str(error.value) == f"{path}: y must hold finite numbers [examples] or [examples, values]."


def test_every_part_has_as_many_values(file):
    path = file(x=X, y=RNG.normal(size=(20, 2)), x_test=X, y_test=RNG.normal(size=(20, 3)))
    with pytest.raises(InvalidInput) as error:
        read(path, classes=False)
    assert str(error.value) == f"{path}: y has 2 values an example, y_test has 3."


def test_python_objects_are_never_loaded(file):
    path = file(x=X, y=np.array([{"a": 1}] * 20, dtype=object))
    with pytest.raises(InvalidInput) as error:
        read(path)
    assert str(error.value) == f"{path} holds Python objects, which are never loaded: save plain arrays."


def test_what_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "my.npz"
    with pytest.raises(InvalidInput, match=r"my\.npz does not exist\.$"):
        read(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InvalidInput, match=r"my\.npz is not an \.npz file \(.*\)\. Save it with numpy\.savez\.$"):
        read(path)
    header = struct.pack("<H", 118) + b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}".ljust(118)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + header)
    with pytest.raises(InvalidInput, match=r"my\.npz is not an \.npz file \(Unable to allocate .*\)\. Save it with "):
        read(path)
    with path.open("wb") as single:
        np.save(single, X)
    with pytest.raises(InvalidInput, match=r"my\.npz holds one array: save x and y together with numpy\.savez\.$"):
        read(path)


# -------------------------------------------------------------------------------------------------- fitting


def test_a_recipe_is_fitted_to_few_examples(file):
    fitted = own_data.fitted(RECIPE, read(file(x=X, y=Y)))
    assert fitted.config["classes"] == 4
    assert fitted.batch_size == 2  # an eighth of the 16 that are not held out
    assert fitted.average == pytest.approx(1 - 10 / 16)  # 2 epochs of 8 steps
    assert fitted.changed["data"].startswith("sha256:")
    many = own_data.fitted(recipes.get("lstm.adding"), datasets.get("adding"))
    assert (many.batch_size, many.average) == (100, 0.0)


def test_several_values_an_example_are_learned_each(file, tmp_path):
    x = RNG.random((64, 4, 2)).astype("float32")
    data = read(file(x=x, y=np.tile([0.0, 1.0, 2.0], (64, 1))), features=2, classes=False)
    adding = recipes.get("lstm.adding")
    recipe = dataclasses.replace(adding, config={**adding.config, "units": [2]}, learning_rate=0.1)
    found = training.train(own_data.fitted(recipe, data, 20), tmp_path / "run", epochs=20, dataset=data)
    assert found.model.output_shape == (None, 3)
    np.testing.assert_allclose(found.model.predict(x, verbose=0).mean(0), [0, 1, 2], atol=0.2)


def test_the_augmentation_of_a_recipe_is_for_its_own_data(file):
    assert recipes.get("gru.har").augment and not own_data.fitted(recipes.get("gru.har"), read(file(x=X, y=Y))).augment


def test_a_batch_larger_than_the_data_trains_nothing(file, tmp_path):
    data = read(file(x=X, y=Y))
    with pytest.raises(InvalidInput) as error:
        training.train(dataclasses.replace(RECIPE, batch_size=17), tmp_path / "run", dataset=data)
    assert str(error.value) == "batch_size=17 is more than the training split holds: nothing is trained."


def test_a_recipe_of_another_kind_takes_no_data():
    recipe = dataclasses.replace(RECIPE, name="gru.etth1_96", family="forecaster")
    with pytest.raises(InvalidInput) as error:
        own_data.require_family(recipe)
    assert str(error.value) == (
        "Recipe 'gru.etth1_96' trains a forecaster; data of your own trains a classifier or a regressor."
    )


def test_training_stops_when_patience_is_out(tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPE, patience=2, epochs=10, learning_rate=0.0, batch_size=4)
    split = datasets.Split(X, Y.astype("int32"))
    data = dataclasses.replace(datasets.get("har"), load=lambda: datasets.Splits(split, split, split))
    values = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    monkeypatch.setattr(training._Run, "validate", lambda run: next(values))
    found = training.train(recipe, tmp_path / "run", dataset=data)
    assert [epoch["validation"] for epoch in found.progress.history] == [0.1, 0.5, 0.4, 0.3]
    assert found.progress.best == 1


# ------------------------------------------------------------------------------------------------ transfer


def source_of(classes=6):
    model = models.build(RECIPE.family, {**RECIPE.config, "classes": classes}, name="source")
    for weight in model.weights:
        weight.assign(RNG.normal(0, 0.3, weight.shape) if "float" in weight.dtype else np.ones(weight.shape))
    model.get_layer("normalization").adapt(3 * X + 1)
    return model


def test_every_layer_but_the_last_is_taken_over():
    source, model = source_of(6), models.build(RECIPE.family, {**RECIPE.config, "classes": 4})
    fresh = model.layers[-1].get_weights()
    Start(source)(model)
    for layer in model.layers[:-1]:
        for mine, theirs in zip(layer.get_weights(), source.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], fresh[0])
    assert all(layer.trainable for layer in model.layers)


def test_the_last_layer_is_taken_over_where_it_means_the_same():
    source, model = source_of(6), models.build(RECIPE.family, RECIPE.config)
    Start(source, head=True)(model)
    np.testing.assert_array_equal(model(X), source(X))


def test_frozen_layers_keep_their_weights_in_training(file, tmp_path):
    source, data = source_of(6), read(file(x=X, y=Y))
    recipe = own_data.fitted(dataclasses.replace(RECIPE, start=Start(source, frozen=True), average=0.0), data)
    model = training.train(recipe, tmp_path / "run", dataset=data).model
    for layer in model.layers[:-1]:
        for mine, theirs in zip(layer.get_weights(), source.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert [weight.path.split("/")[0] for weight in model.trainable_weights] == ["logits", "logits"]


def test_a_model_of_another_architecture_is_named_with_what_differs():
    wide = models.build(RECIPE.family, {**RECIPE.config, "units": [5]})
    with pytest.raises(InvalidInput) as error:
        Start(source_of())(wide)
    assert str(error.value) == (
        "Model 'source' does not fit this recipe: gru_1 is 15×15, 5×15, 2×15 here and 15×12, 4×12, 2×12 there. "
        "Start from a model of the same architecture."
    )


# ------------------------------------------------------------------------------------------------ override


def test_an_override_changes_the_recipe_and_marks_it(tmp_path):
    path = tmp_path / "best.json"
    override.write(path, RECIPE, {"learning_rate": 0.5, "config.dropout": 0.25}, {"trials": 3})
    found = override.read(path, RECIPE)
    assert (found.learning_rate, found.config["dropout"], found.epochs) == (0.5, 0.25, RECIPE.epochs)
    assert found.changed == {"settings": {"learning_rate": 0.5, "config.dropout": 0.25}}


WRONG = {
    '{"recipe": "gru.har"}': "holds no settings: it should read {'recipe': …, 'settings': {…}}.",
    '{"recipe": "lstm.har", "settings": {}}': "holds settings for 'lstm.har', not for 'gru.har'.",
    '{"recipe": "gru.har", "settings": {"learning_rate": "fast"}}': (
        "sets 'learning_rate' to 'fast'; it must be like 0.004, which gru.har has."
    ),
    '{"recipe": "gru.har", "settings": {"batch_size": 1.5}}': (
        "sets 'batch_size' to 1.5; it must be like 128, which gru.har has."
    ),
    '{"recipe": "gru.har", "settings": {"config.dropout": 7.0}}': (
        "sets 'config.dropout' to 7.0; it must be from 0 up to, not including, 1."
    ),
    '{"recipe": "gru.har", "settings": {"weight_decay": -1}}': "sets 'weight_decay' to -1; it must be 0 or more.",
    '{"recipe": "gru.har", "settings": {"batch_size": 0}}': "sets 'batch_size' to 0; it must be 1 or more.",
    '{"recipe": "gru.har", "settings": {"learning_rate": NaN}}': "sets 'learning_rate' to nan; it must be 0 or more.",
    '{"recipe": "gru.har", "settings": {"config.units": [2.5]}}': (
        "sets 'config.units' to [2.5]; it must be like [4], which gru.har has."
    ),
    '{"recipe": "gru.har", "settings": {"config.units": []}}': (
        "sets 'config.units' to []; it must be like [4], which gru.har has."
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_override_is_refused(tmp_path, text):
    path = tmp_path / "best.json"
    path.write_text(text)
    with pytest.raises(InvalidInput) as error:
        override.read(path, RECIPE)
    assert str(error.value) == f"{path} {WRONG[text]}"


def test_an_override_that_is_no_json_or_sets_what_is_not_there_is_refused(tmp_path):
    path = tmp_path / "best.json"
    with pytest.raises(InvalidInput, match=r"best\.json cannot be read: No such file or directory\.$"):
        override.read(path, RECIPE)
    path.write_text("{")
    with pytest.raises(InvalidInput, match=r"best\.json is not JSON: "):
        override.read(path, RECIPE)
    path.write_text('{"recipe": "gru.har", "settings": {"config.features": 5}}')
    with pytest.raises(
        InvalidInput, match=r"best\.json sets 'config\.features', which gru\.har does not have; it has "
    ):
        override.read(path, RECIPE)
    path.write_text('{"recipe": "gru.har", "settings": {"lr": 1}}')
    with pytest.raises(
        InvalidInput, match=r"best\.json sets 'lr', which gru\.har does not have; it has epochs, batch_"
    ):
        override.read(path, RECIPE)


# ------------------------------------------------------------------------------------------------- commands


def test_training_on_own_data_from_a_pretrained_model(file, tmp_path, zoo_command):
    path = file(x=X, y=np.array(["a", "b", "c", "d"])[Y], x_test=X[:6], y_test=np.array(["a", "b", "c", "d"])[Y[:6]])
    out = tmp_path / "run"
    command = ["train", "gru.har", "--from", "gru.har", "--freeze", "--data", path, "--out", out, "--epochs", 1]
    facts = json.loads(zoo_command(*command, "--json").out)
    assert facts["labels"] == ["a", "b", "c", "d"]
    model = keras.saving.load_model(facts["model"])
    pretrained = zoo.load("gru.har")
    for mine, theirs in zip(
        model.get_layer("gru_1").get_weights(), pretrained.get_layer("gru_1").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    share = float(np.mean(model.predict(X[:6], verbose=0).argmax(-1) == Y[:6]))
    assert facts["test"] == pytest.approx(share)
    again = zoo_command(*command)
    assert (again.code, again.err) == (
        2,
        f"zoo: {out} holds a run already: go on with --resume, or choose another --out.\n",
    )
    other = zoo_command("train", "gru.har", "--from", "lstm.har", "--data", path, "--out", tmp_path / "other")
    assert other.code == 2
    assert other.err.startswith("zoo: Model 'lstm.har' does not fit this recipe: gru_1 is ")


def test_freezing_without_a_model_to_freeze_is_refused(zoo_command):
    answer = zoo_command("train", "gru.har", "--freeze")
    text = "zoo: --freeze keeps the weights of a pretrained model: name it with --from.\n"
    assert (answer.code, answer.err) == (2, text)


def test_a_run_is_not_resumed_with_other_settings(tmp_path, zoo_command, file):
    data = file(x=RNG.normal(size=(20, 6, 2)), y=RNG.normal(size=20))
    out, path = tmp_path / "run", tmp_path / "best.json"
    override.write(path, recipes.get("lstm.adding"), {"learning_rate": 0.5}, {})
    command = ["train", "lstm.adding", "--data", data, "--out", out, "--epochs", 1]
    assert zoo_command(*command).code == 0
    answer = zoo_command(*command, "--resume", "--override", path)
    assert answer.code == 2 and "'settings': {'learning_rate': 0.5}" in answer.err
