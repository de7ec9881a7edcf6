"""`zoo bench`: what one prediction of a model costs on each runtime, or a suite that compares whole libraries."""

import importlib
from typing import Annotated, Any

import typer

from export.quiet import quiet
from zoo.cli.output import AsJson, console, print_json, print_table
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput

# A suite is a module with `COLUMNS`, `ROUNDS`, `run(rounds) -> rows`, `table(rows) -> lines`, `summary(rows) -> text`.
SUITES = {"layers": "zoo.benchmarks.layers"}


def bench(
    name: Annotated[str, typer.Argument(help=f"A model name, or a suite: {', '.join(SUITES)}.")],
    batch: Annotated[str, typer.Option(help="Batch sizes of a model, separated by commas.")] = "1,32",
    rounds: Annotated[int | None, typer.Option(help="How often each candidate has its turn.", min=3)] = None,
    as_json: AsJson = False,
) -> None:
    """Latency of a model on Keras, ONNX Runtime and LiteRT, or a suite, the candidates taking turns in one process."""
    sizes = _sizes(batch)
    import_tensorflow()
    if name in SUITES:
        _suite(importlib.import_module(SUITES[name]), rounds, as_json)
    else:
        _model(name, sizes, rounds or 30, as_json)


def _suite(suite: Any, rounds: int | None, as_json: bool) -> None:
    with quiet():  # XLA and oneDNN announce themselves on standard error
        rows = suite.run(rounds or suite.ROUNDS)
    if as_json:
        print_json(rows)
        return
    console.print(suite.summary(rows), soft_wrap=True)
    print_table(suite.COLUMNS, suite.table(rows), right=suite.COLUMNS[1:])


def _model(name: str, sizes: list[int], rounds: int, as_json: bool) -> None:
    from zoo.benchmarks import latency

    with quiet():  # LiteRT announces its delegates on standard error
        rows = latency.measure(name, sizes, rounds)
    if as_json:
        print_json(rows)
        return
    columns = ("runtime", "batch", "p50 ms", "p90 ms", "faster than predict")
    table = [
        (row["runtime"], row["batch"], f"{row['p50_ms']:.3f}", f"{row['p90_ms']:.3f}", f"{row['ratio_to_keras']:.1f}×")
        for row in rows
    ]
    console.print(f"[bold]{name}[/]  {latency.conditions(rows)}", soft_wrap=True)
    print_table(columns, table, right=columns[1:])


def _sizes(batch: str) -> list[int]:
    try:
        return [int(size) for size in batch.split(",")]
    except ValueError as error:
        raise InvalidInput(f"--batch {batch!r} must be whole numbers with commas between them, as in 1,32.") from error
