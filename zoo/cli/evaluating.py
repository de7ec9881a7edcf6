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
from zoo.evaluation import evaluate as score_of
from zoo.evaluation import examples, number
from zoo.spec import ModelSpec


def evaluate(
    name: Annotated[str, typer.Argument(help="A model name.")],
    backend: Annotated[str, typer.Option(help="keras, onnx, tflite or saved_model.")] = "keras",
    quantize: Annotated[str | None, typer.Option(help="dynamic, float16 or int8, where the backend has it.")] = None,
    metric: Annotated[str | None, typer.Option(help="Another metric than the card's first.")] = None,
    as_json: AsJson = False,
) -> None:
    """The score on the test split of the model's data set (from $ZOO_DATA, or downloaded)."""
    if backend != "onnx" or quantize:
        import_tensorflow()
    found = measure(name, backend, quantize, metric)
    if as_json:
        print_json(found)
        return
    value = number(found["metric"], found["value"])
    console.print(
        f"{name}  {backend}{f' {quantize}' if quantize else ''}  {found['metric']} {value}  "
        f"({found['split']} split of {found['dataset']}, {found['examples']} examples, {found['seconds']:.1f} s)",
        soft_wrap=True,
    )


def measure(name: str, backend: str, quantize: str | None = None, metric: str | None = None) -> dict[str, Any]:
    """What `zoo eval --json` prints; `seconds` are those of the runs alone."""
    spec = registry.get(name)
    with quiet():  # LiteRT announces its delegates on standard error
        executor = opened(spec, backend, quantize)
    split = datasets.get(spec.dataset.name).load().test
    metric = metric or spec.score.metric
    started = time.perf_counter()
    value = score_of(executor, split, (metric,))[metric]
    return {
        "name": name,
        "backend": backend,
        "quantize": quantize,
        "dataset": spec.dataset.name,
        "split": "test",
        "metric": metric,
        "value": value,
        "examples": examples(metric, split),
        "seconds": round(time.perf_counter() - started, 3),
    }


def opened(spec: ModelSpec, backend: str, quantize: str | None) -> Any:
    """What the scores of a model are measured on: the file its pipeline runs, or the pipeline if that runs several."""
    runs = PIPELINES.get(spec.task, Pipeline)
    executors = [open_model(spec.name, backend, quantize, part) for part in runs.PARTS]
    return executors[0] if len(executors) == 1 else runs(spec, *executors)


def repeat_every_score() -> list[str]:
    """Measures each card again on Keras and ONNX Runtime; returns a line for each score that does not come out."""
    wrong = []
    for name in registry.names():
        for score in (score for score in registry.get(name).scores if score.split == "test"):
            for backend in ("keras", "onnx") if score.backend == "keras" else (score.backend,):
                value = measure(name, backend, score.quantize, score.metric)["value"]
                line = f"{name} {backend} {score.quantize or 'float32'} {score.metric}: {value} (card {score.value})"
                console.print(line, soft_wrap=True, markup=False)
                if value != score.value:
                    wrong.append(line)
    return wrong


if __name__ == "__main__":
    import_tensorflow()
    sys.exit(bool(repeat_every_score()))
