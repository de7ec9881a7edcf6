"""`zoo eval`: the score of a card, measured again. `python -m zoo.cli.evaluating` repeats every score of every card."""

import sys
import time
from typing import Annotated, Any

import typer

from export.backends import open_model
from export.quiet import quiet
from export.runtime.pipelines import PIPELINES, Pipeline
from zoo import datasets, registry
from zoo.cli.output import AsJson, console, print_json
from zoo.cli.quiet import import_tensorflow
from zoo.datasets import Split
from zoo.errors import InvalidInput, unknown_name
from zoo.evaluation import METRICS, examples, number
from zoo.evaluation import evaluate as score_of
from zoo.evaluation import metric as metric_named
from zoo.spec import ModelSpec

TEST = "test"


def evaluate(
    name: Annotated[str, typer.Argument(help="A model name.")],
    backend: Annotated[str, typer.Option(help="keras, onnx, tflite or saved_model.")] = "keras",
    quantize: Annotated[
        str | None, typer.Option(help="dynamic, float16, int8 or int16x8, where the backend has it.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Another metric than the card's first.")] = None,
    split: Annotated[str, typer.Option(help="Another test than the card's first, such as test_2017.")] = TEST,
    as_json: AsJson = False,
) -> None:
    """The score on the test split of the model's data set (from $ZOO_DATA, or downloaded)."""
    if backend != "onnx" or quantize:
        import_tensorflow()
    found = measure(name, backend, quantize, metric, split)
    if as_json:
        print_json(found)
        return
    value = number(found["metric"], found["value"])
    console.print(
        f"{name}  {backend}{f' {quantize}' if quantize else ''}  {found['metric']} {value}  "
        f"({found['split']} split of {found['dataset']}, {found['examples']} examples, {found['seconds']:.1f} s)",
        soft_wrap=True,
    )


def measure(
    name: str, backend: str, quantize: str | None = None, metric: str | None = None, split: str = TEST
) -> dict[str, Any]:
    """What `zoo eval --json` prints; `seconds` are those of the runs alone."""
    spec = registry.get(name)
    metric = _metric(spec, metric)
    with quiet():  # LiteRT announces its delegates on standard error
        executor = opened(spec, backend, quantize)
    examples_of = _split(spec.dataset.name, split)
    started = time.perf_counter()
    value = score_of(executor, examples_of, (metric,))[metric]
    return {
        "name": name,
        "backend": backend,
        "quantize": quantize,
        "dataset": spec.dataset.name,
        "split": split,
        "metric": metric,
        "value": value,
        "examples": examples(metric, examples_of),
        "seconds": round(time.perf_counter() - started, 3),
    }


def _metric(spec: ModelSpec, name: str | None) -> str:
    """`name`, else the card's first. Raises UnknownName, or InvalidInput for a metric of other answers."""
    own = spec.score.metric
    if name is None or metric_named(name).of == metric_named(own).of:
        return name or own
    fitting = ", ".join(other for other, found in METRICS.items() if found.of == metric_named(own).of)
    raise InvalidInput(
        f"{name} compares {metric_named(name).of}, which {spec.name} does not answer with: use {fitting}."
    )


def _split(dataset: str, name: str) -> Split:
    """The test split, or the further one of that name. Raises UnknownName."""
    found = datasets.get(dataset)
    if name == TEST:
        return found.load().test
    if name not in found.further:
        there = ", ".join((TEST, *found.further))
        raise unknown_name("split", name, (TEST, *found.further), f"{dataset} has {there}.")
    return found.further[name]()


def opened(spec: ModelSpec, backend: str, quantize: str | None) -> Any:
    """What the scores of a model are measured on: the file its pipeline runs, or the pipeline if that runs several."""
    runs = PIPELINES.get(spec.task, Pipeline)
    executors = [open_model(spec.name, backend, quantize, part) for part in runs.PARTS]
    return executors[0] if len(executors) == 1 else runs(spec, *executors)


def repeat_every_score() -> list[str]:
    """Measures each card again on Keras and ONNX Runtime; returns a line for each score that does not come out."""
    wrong = []
    for name in registry.names():
        known = {TEST, *datasets.get(registry.get(name).dataset.name).further}
        for score in (score for score in registry.get(name).scores if score.split in known):
            for backend in ("keras", "onnx") if score.backend == "keras" else (score.backend,):
                value = measure(name, backend, score.quantize, score.metric, score.split)["value"]
                what = f"{score.quantize or 'float32'} {score.split} {score.metric}"
                line = f"{name} {backend} {what}: {value} (card {score.value})"
                console.print(line, soft_wrap=True, markup=False)
                if value != score.value:
                    wrong.append(line)
    return wrong


if __name__ == "__main__":
    import_tensorflow()
    sys.exit(bool(repeat_every_score()))
