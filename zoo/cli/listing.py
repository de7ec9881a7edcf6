"""`zoo list` and `zoo show`: cards only, so they answer at once."""

import dataclasses
from typing import Annotated, Any

import typer
from rich.markup import escape

from zoo import registry
from zoo.cli import costing
from zoo.cli.output import AsJson, console, print_json, print_table, size
from zoo.errors import UnknownName
from zoo.evaluation import metric, number
from zoo.spec import ModelSpec


def list_models(
    pattern: Annotated[str, typer.Argument(help="A shell-style pattern, for example 'gru.*' or '*.har'.")] = "*",
    task: Annotated[str | None, typer.Option(help="Only models of this task.")] = None,
    architecture: Annotated[str | None, typer.Option(help="Only this architecture.")] = None,
    as_json: AsJson = False,
) -> None:
    """The pretrained models with their measured scores."""
    specs = [registry.get(name) for name in registry.names(pattern)]
    specs = [spec for spec in specs if task in (None, spec.task) and architecture in (None, spec.architecture)]
    if not specs:
        raise UnknownName(_nothing_left(pattern, task, architecture))
    if as_json:
        print_json([_row(spec) for spec in specs])
        return
    rows = [
        (
            spec.name,
            spec.task,
            spec.dataset.name,
            _score(spec),
            _best_published(spec),
            f"{spec.parameters:,}",
            size(sum(spec.bytes.values())),
        )
        for spec in specs
    ]
    columns = ("name", "task", "data", "score", "published", "parameters", "size")
    print_table(columns, rows, right=("score", "published", "parameters", "size"))


def show(
    name: Annotated[str, typer.Argument(help="A model name.")],
    cost: Annotated[bool, typer.Option("--cost", help="Instead: size, memory and latency, measured here.")] = False,
    as_json: AsJson = False,
) -> None:
    """The card of one model: what it does, how well, from what data, under which licence."""
    spec = registry.get(name)
    if cost:
        costing.show(name, as_json)
        return
    if as_json:
        print_json(dataclasses.asdict(spec))
        return
    console.print(f"[bold]{spec.name}[/]  {escape(spec.summary)}\n")
    print_table(("", ""), _facts(spec))
    console.print("\n[bold]Scores[/]")
    columns = ("metric", "split", "backend", "quantize", "value", "over seeds", "examples")
    print_table(columns, [_score_row(score) for score in spec.scores], right=("value", "examples"))
    for item in spec.published:
        console.print(
            f"published: {number(item.metric or spec.score.metric, item.value)}  {item.what} ({item.source})",
            soft_wrap=True,
        )


def _score(spec: ModelSpec) -> str:
    value = number(spec.score.metric, spec.score.value)
    return value if spec.score.metric == "accuracy" else f"{value} {spec.score.metric.replace('_', ' ')}"


def _best_published(spec: ModelSpec) -> str:
    values = _published(spec)
    best = max if metric(spec.score.metric).higher_is_better else min
    return number(spec.score.metric, best(values)) if values else "–"


def _published(spec: ModelSpec) -> list[float]:
    """The numbers that the card's first score can be held against."""
    return [item.value for item in spec.published if item.metric in (None, spec.score.metric)]


def _row(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "task": spec.task,
        "architecture": spec.architecture,
        "dataset": spec.dataset.name,
        "metric": spec.score.metric,
        "value": spec.score.value,
        "published": _published(spec),
        "parameters": spec.parameters,
        "bytes": sum(spec.bytes.values()),
    }


def _facts(spec: ModelSpec) -> list[tuple[str, str]]:
    def tensor(item: Any) -> str:
        return item.describe() + (f" ({item.unit})" if item.unit else "")

    return [
        ("task", f"{spec.task}: {', '.join(spec.labels)}" if spec.labels else spec.task),
        ("input", "; ".join(tensor(item) for item in spec.signature.inputs)),
        ("output", "; ".join(tensor(item) for item in spec.signature.outputs)),
        ("preprocessing", spec.preprocessing),
        ("use", spec.intended_use),
        *(("limit", limit) for limit in spec.limits),
        ("data", f"{spec.dataset.title}, {spec.dataset.url}"),
        ("licence", spec.dataset.licence),
        ("parameters", f"{spec.parameters:,}; {spec.multiply_adds_per_step:,} multiply-adds in a step of every layer"),
        ("files", ", ".join(f"{name} {size(count)}" for name, count in spec.bytes.items())),
        *([("TFLite Micro", f"int8 file in an arena of {spec.arena_bytes:,} bytes")] if spec.arena_bytes else []),
        ("recipe", f"{spec.recipe}, seed {spec.seed}, {_training(spec)}"),
        *(("tried", text) for text in spec.tried),
    ]


def _training(spec: ModelSpec) -> str:
    found = spec.training
    kept = f"epoch {found['kept_epoch']} of {found['epochs']}, {number(spec.score.metric, found['validation'])}"
    return (
        f"{kept} on validation; {found['seconds'] / 60:.0f} minutes on {found['device']}, Keras {found['keras']} on "
        f"{found['backend']}"
    )


def _score_row(score: Any) -> tuple[str, ...]:
    seeds = [number(score.metric, value) for value in score.seeds]
    value = number(score.metric, score.value)
    return score.metric, score.split, score.backend, score.quantize or "–", value, ", ".join(seeds), str(score.examples)


def _nothing_left(pattern: str, task: str | None, architecture: str | None) -> str:
    wanted = [f"{name} {value!r}" for name, value in (("task", task), ("architecture", architecture)) if value]
    return f"No model matches {pattern!r} with {' and '.join(wanted)}. Run `zoo list` to see all."
