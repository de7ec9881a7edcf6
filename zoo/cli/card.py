"""From finished runs to a folder under `zoo/pretrained`: every number on the card is measured here.

`python -m zoo.cli.card` takes the texts of all recipes over into the cards, where they were changed since.
"""

import dataclasses
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export import to_onnx
from export.backends import of_keras, part_of
from export.lowering.source import read
from export.runtime.pipelines import PIPELINES, Pipeline
from zoo import datasets, loading, models, recipes, registry
from zoo.cli.arena import arena_bytes
from zoo.cli.evaluating import opened
from zoo.cli.rounding import compress, round_weights
from zoo.datasets import Split
from zoo.errors import InvalidInput, ParityError, Unsupported
from zoo.evaluation import evaluate, examples, metric
from zoo.features.translation import Translator
from zoo.layers import TiedEmbedding
from zoo.recipes import Recipe, checkpoint
from zoo.recipes.batches import runner
from zoo.spec import ModelSpec, Score, Signature, from_json, to_json

FORMS = (
    ("onnx", None),
    ("onnx", "int8"),
    ("saved_model", None),
    ("tflite", None),
    ("tflite", "dynamic"),
    ("tflite", "int8"),
)
TEXTS = ("summary", "intended_use", "limits", "published", "tried")


def publish(name: str, runs: Path) -> tuple[ModelSpec, dict[int, float]]:
    """Ships the run of recipe `name` that is best on validation; returns its card and the test score of every seed.

    A file `RUNS/NAME/scores/*.json` is a Score another command measured; the card takes it over.
    """
    recipe = recipes.get(name)
    folders = sorted((runs / name).glob("seed*/model.weights.h5"))
    if not folders:
        raise InvalidInput(f"{runs / name} holds no finished run. Train first: zoo train {name} --seed 0.")
    found = [_Run(recipe, path.parent) for path in folders]
    sign = 1 if metric(recipe.metric).higher_is_better else -1
    best = max(found, key=lambda run: sign * run.validation)
    test = datasets.get(recipe.dataset).load().test
    measured = {run.seed: run.scores(test) for run in found}
    scores = [_score(name, measured, best.seed, test) for name in (recipe.metric, *recipe.also)]
    scores += [_further(recipe, best, split, load()) for split, load in datasets.get(recipe.dataset).further.items()]
    scores += [from_json(Score, path.read_text("utf-8")) for path in sorted((runs / name).glob("scores/*.json"))]
    with tempfile.TemporaryDirectory(dir=registry.ROOT, prefix=".publishing-") as staging:
        spec = _fill(Path(staging), recipe, best, scores)
        target = registry.ROOT / name
        old = Path(staging).with_name(f"{Path(staging).name}-old")
        if target.exists():
            os.replace(target, old)
        os.chmod(staging, 0o755)  # a temporary folder is for its owner alone
        os.replace(staging, target)
        os.mkdir(staging)
    shutil.rmtree(old, ignore_errors=True)
    registry.get.cache_clear()
    spec = _with_forms(spec, test)
    registry.write_card(spec)
    return spec, {seed: values[recipe.metric] for seed, values in measured.items()}


def with_texts(spec: ModelSpec, recipe: Recipe) -> ModelSpec:
    """The card with what its recipe says today; what files hold too (preprocessing, units) is as it was published."""
    assert recipe.card is not None, "only recipes with a card are published"
    texts = {name: getattr(recipe.card, name) for name in TEXTS}
    return dataclasses.replace(spec, **texts)


def _score(name: str, measured: dict[int, dict[str, float]], seed: int, test: Split) -> Score:
    values = {run: found[name] for run, found in measured.items()}
    return Score(name, "test", values[seed], examples(name, test), seeds=tuple(values.values()))


def _further(recipe: Recipe, run: "_Run", split: str, test: Split) -> Score:
    return Score(recipe.metric, split, run.scores(test)[recipe.metric], examples(recipe.metric, test))


def _with_forms(spec: ModelSpec, test: Split) -> ModelSpec:
    """The card with the headline measured on every exported form; one that the engine refuses, or whose file fails its
    check, has no row."""
    rows = []
    for backend, quantize in FORMS:
        try:
            executor = opened(spec, backend, quantize)
        except (Unsupported, ParityError):
            continue
        value = evaluate(executor, test, (spec.score.metric,))[spec.score.metric]
        rows.append(Score(spec.score.metric, "test", value, spec.score.examples, backend, quantize))
    return dataclasses.replace(spec, scores=(*spec.scores, *rows), arena_bytes=arena_bytes(spec.name))


class _Run:
    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.progress, _ = checkpoint.restore(folder / "checkpoint.npz")
        self.seed = int(self.progress.identity["seed"])
        wanted = recipe.identity(self.seed, recipe.epochs)
        checkpoint.require_same(folder, self.progress.identity, wanted, "Train it again, or move it away.")
        self.validation = self.progress.history[self.progress.best]["validation"]
        model = models.build(recipe.family, recipe.config, name=recipe.name)
        self.model = loading.load_weights(model, folder / loading.WEIGHTS)
        if recipe.card:
            round_weights(self.model, recipe.card.stored)

    def scores(self, split: Split) -> dict[str, float]:
        return evaluate(self._judged, split, (self.recipe.metric, *self.recipe.also))

    @cached_property
    def _judged(self) -> Any:
        """What the scores of all splits are measured on: an executor; of a translator its two halves, with no trace for
        each length there is."""
        parts = PIPELINES.get(self.recipe.task, Pipeline).PARTS
        tokenizer = datasets.get(self.recipe.dataset).tokenizer
        if len(parts) == 1 or tokenizer is None:
            return of_keras(self.model, parts[0])
        encoder, decoder = (runner(part_of(self.model, part)) for part in parts)
        return Translator(encoder, decoder, tokenizer())


def _fill(folder: Path, recipe: Recipe, run: _Run, scores: list[Score]) -> ModelSpec:
    run.model.save_weights(folder / loading.WEIGHTS)  # never compiled, so without the optimizer's state
    spec = _card(recipe, run, scores)
    rounded = recipe.card is not None and recipe.card.stored != "float32"
    if rounded:
        compress(folder / loading.WEIGHTS)
    for part in _parts(recipe):
        source, streams = part_of(run.model, part), part == "streaming"
        quantize = "float16" if rounded else None  # int8 weights too are stored by it as such
        to_onnx(source, folder / f"{part}.onnx", spec=spec, streaming=streams, quantize=quantize)
    tokenizer = datasets.get(recipe.dataset).tokenizer
    if tokenizer:
        tokenizer().save(str(folder / "tokenizer.json"))
    files = sorted(folder.iterdir())
    spec = dataclasses.replace(
        spec,
        files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        bytes={path.name: path.stat().st_size for path in files},
    )
    (folder / "card.json").write_text(to_json(spec), "utf-8")
    return spec


def _parts(recipe: Recipe) -> tuple[str, ...]:
    """The ONNX files of a folder."""
    runs = PIPELINES.get(recipe.task, Pipeline).PARTS
    return (*runs, "streaming") if recipe.card and recipe.card.streaming else runs


def _card(recipe: Recipe, run: _Run, scores: list[Score]) -> ModelSpec:
    if recipe.card is None:
        raise InvalidInput(f"Recipe {recipe.name!r} is an exercise, not a model to ship: it has no card.")
    text = recipe.card
    data = datasets.get(recipe.dataset)
    signature = read(run.model).signature
    unit = dataclasses.replace(signature.inputs[0], unit=text.input_unit)
    return ModelSpec(
        name=recipe.name,
        task=recipe.task,
        family=recipe.family,
        architecture=recipe.name.partition(".")[0],
        summary=text.summary,
        intended_use=text.intended_use,
        limits=text.limits,
        config=recipe.config,
        signature=Signature((unit, *signature.inputs[1:]), signature.outputs),
        labels=data.labels,
        preprocessing=text.preprocessing,
        dataset=data.ref,
        scores=tuple(scores),
        published=text.published,
        parameters=run.model.count_params(),
        multiply_adds_per_step=multiply_adds_per_step(run.model),
        recipe=recipe.module,
        seed=run.seed,
        training=_training(run),
        commit=_commit(),
        files={},
        sample_rate=text.sample_rate,
        window=text.window,
        tried=text.tried,
    )


def multiply_adds_per_step(model: keras.Model) -> int:
    """Multiplications of weights with inputs or states that one time step of every layer takes: the sizes of all
    matrices and filters but those that are looked up."""
    looked_up = {
        weight.path
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Embedding) and not isinstance(layer, TiedEmbedding)
        for weight in layer.weights
    }
    matrices = [weight for weight in model.trainable_weights if _multiplies(weight)]
    return int(sum(np.prod(weight.shape) for weight in matrices if weight.path not in looked_up))


def _multiplies(weight: Any) -> bool:
    """Whether it is a matrix, or the filters of a convolution."""
    return (len(weight.shape) == 2 and "bias" not in weight.path) or (len(weight.shape) > 2 and weight.name == "kernel")


def _training(run: _Run) -> dict[str, Any]:
    """`seconds` are those of the median epoch times their number: what else the machine did counts little."""
    seconds = [epoch["seconds"] for epoch in run.progress.history]
    return {
        "seconds": round(float(np.median(seconds)) * len(seconds)),
        "epochs": run.progress.epoch,
        "kept_epoch": run.progress.best + 1,
        "validation": run.validation,
        "device": f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    for shipped in map(registry.get, registry.names()):
        registry.write_card(with_texts(shipped, recipes.get(shipped.name)))
