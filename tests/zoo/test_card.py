import dataclasses
import hashlib
import shutil

import keras
import numpy as np
import pytest

from export import runtime
from tests.tiers import thorough
from zoo import datasets, loading, recipes, registry
from zoo.cli import card
from zoo.cli.arena import arena_bytes
from zoo.datasets import Dataset, Split, Splits
from zoo.errors import InvalidInput
from zoo.evaluation import METRICS, Metric
from zoo.recipes import training
from zoo.spec import DatasetRef, Score, to_json

SMALL = dataclasses.replace(
    recipes.get("gru.har"),
    config={"recurrence": "gru", "units": [4], "features": 9, "classes": 2},
    epochs=2,
    batch_size=20,
    average=0.0,
    augment=None,
    card=dataclasses.replace(recipes.get("gru.har").card, window=8),
)


def load():
    """Movements of two strengths, hard enough that seeds differ."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 160).astype("int32")
    x = (rng.normal(size=(160, 8, 9)) * (1 + 0.5 * y[:, None, None])).astype("float32")
    return Splits(*(Split(x[part], y[part]) for part in (slice(0, 80), slice(80, 120), slice(120, 160))))


DATA = Dataset(DatasetRef("har", "Movements", "https://example.org", "CC0", "nobody"), ("weak", "strong"), load)


pytestmark = pytest.mark.usefixtures("small_probes")
ONNX, EVERY_FORM = (("onnx", None),), card.FORMS


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder with the runs of two seeds of the small recipe."""
    runs = tmp_path_factory.mktemp("trained") / "runs"
    for seed in (0, 1):
        training.train(SMALL, runs / "gru.har" / f"seed{seed}", seed=seed, dataset=DATA)
    return runs


@pytest.fixture
def zoo_of_one(trained, tmp_path, monkeypatch):
    """A registry of its own, the small recipe in place of gru.har's, and a folder with its runs. Of the exported forms
    one alone is scored, and no arena measured, but where a test asks for it."""
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(registry, "ROOT", tmp_path / "pretrained")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(recipes, "get", lambda name: SMALL)
    monkeypatch.setattr(datasets, "get", lambda name: DATA)
    monkeypatch.setattr(card, "FORMS", ONNX)
    monkeypatch.setattr(card, "arena_bytes", lambda name: None)
    registry.get.cache_clear()
    shutil.copytree(trained, tmp_path / "runs")
    yield tmp_path / "runs"
    registry.get.cache_clear()


def test_the_seed_best_on_validation_is_shipped_with_the_test_score_of_every_seed(zoo_of_one):
    spec, scores = card.publish("gru.har", zoo_of_one)
    runs = [training.train(SMALL, zoo_of_one / "gru.har" / f"seed{seed}", seed=seed, resume=True) for seed in (0, 1)]
    assert spec.seed == int(np.argmax([run.validation for run in runs]))
    test = load().test
    by_hand = [float(np.mean(run.model.predict(test.x, verbose=0).argmax(-1) == test.y)) for run in runs]
    assert [scores[0], scores[1]] == by_hand
    assert spec.score.seeds == tuple(by_hand) and spec.score.value == by_hand[spec.seed]
    assert spec.score.examples == 40
    assert spec.multiply_adds_per_step == 9 * 12 + 4 * 12 + 4 * 2
    assert spec.parameters == runs[0].model.count_params()


def test_what_is_shipped_loads_by_name_and_matches_its_card(zoo_of_one):
    spec, _ = card.publish("gru.har", zoo_of_one)
    folder = registry.folder("gru.har")
    assert {path.name for path in folder.parent.iterdir()} == {"gru.har"}
    assert {path.name for path in folder.iterdir()} == {"card.json", "model.onnx", "model.weights.h5"}
    for file, digest in spec.files.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
        assert (folder / file).stat().st_size == spec.bytes[file]
    assert registry.get("gru.har") == spec
    kept = training.train(SMALL, zoo_of_one / "gru.har" / f"seed{spec.seed}", seed=spec.seed, resume=True).model
    for ours, theirs in zip(loading.load("gru.har").get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@thorough
def test_the_card_holds_further_metrics_scores_of_other_commands_and_a_score_for_every_form(zoo_of_one, monkeypatch):
    monkeypatch.setattr(card, "FORMS", EVERY_FORM)
    monkeypatch.setattr(card, "arena_bytes", arena_bytes)
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(SMALL, also=("mean_squared_error",)))
    monkeypatch.setitem(
        METRICS, "mean_squared_error", Metric(lambda y, logits: float(np.mean(logits)), "numbers", False)
    )
    elsewhere = Score("accuracy", "held-out speaker", 0.75, 6, seeds=(0.5, 1.0))
    (zoo_of_one / "gru.har" / "scores").mkdir()
    (zoo_of_one / "gru.har" / "scores" / "speakers.json").write_text(to_json(elsewhere))
    spec, _ = card.publish("gru.har", zoo_of_one)
    assert registry.get("gru.har") == spec
    headline, further, taken_over, *forms = spec.scores
    assert (headline.metric, further.metric, taken_over) == ("accuracy", "mean_squared_error", elsewhere)
    mean = float(np.mean(loading.load("gru.har").predict(load().test.x, verbose=0)))
    assert further.value == pytest.approx(mean, abs=1e-6)
    assert [(row.backend, row.quantize) for row in forms] == [
        ("onnx", None), ("onnx", "int8"), ("saved_model", None), ("tflite", None), ("tflite", "dynamic"),
        ("tflite", "int8"),
    ]  # fmt: skip
    assert all(row.value == headline.value for row in forms if row.quantize is None)


def test_a_run_of_another_recipe_is_not_shipped(zoo_of_one, monkeypatch):
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(SMALL, learning_rate=0.5))
    with pytest.raises(InvalidInput) as error:
        card.publish("gru.har", zoo_of_one)
    assert str(error.value) == (
        f"{zoo_of_one / 'gru.har' / 'seed0'} is another run: learning_rate is {SMALL.learning_rate!r} there and 0.5 "
        "here. Train it again, or move it away."
    )
    assert not (registry.ROOT / "gru.har").exists()


def test_the_filters_of_a_convolution_count_and_what_is_looked_up_does_not():
    layers = [keras.Input((None,), dtype="int32"), keras.layers.Embedding(20, 5), keras.layers.Conv1D(7, 3)]
    assert card.multiply_adds_per_step(keras.Sequential(layers)) == 3 * 5 * 7


def test_a_model_that_streams_has_a_file_for_it(zoo_of_one, monkeypatch):
    text = dataclasses.replace(SMALL.card, streaming=True)
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(SMALL, card=text))
    spec, _ = card.publish("gru.har", zoo_of_one)
    assert set(spec.files) == {"model.onnx", "model.weights.h5", "streaming.onnx"}
    assert [state.layer for state in runtime.load(registry.file("gru.har", "streaming.onnx")).signature.states] == [
        "gru_1"
    ]


def test_publishing_again_replaces_the_model(zoo_of_one):
    first, _ = card.publish("gru.har", zoo_of_one)
    (registry.folder("gru.har") / "stale.txt").write_text("old")
    second, _ = card.publish("gru.har", zoo_of_one)
    assert second.files["model.weights.h5"] == first.files["model.weights.h5"]
    assert not (registry.folder("gru.har") / "stale.txt").exists()


def test_an_exercise_is_not_shipped(zoo_of_one, monkeypatch):
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(SMALL, card=None))
    with pytest.raises(InvalidInput) as error:
        card.publish("gru.har", zoo_of_one)
    assert str(error.value) == "Recipe 'gru.har' is an exercise, not a model to ship: it has no card."
    assert list(registry.ROOT.iterdir()) == []
