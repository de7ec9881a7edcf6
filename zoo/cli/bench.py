"""`zoo bench`: what one prediction costs on each runtime."""

from typing import Annotated

import typer

from export.quiet import quiet
from zoo.cli.output import AsJson, console, print_json, print_table
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput


def bench(
    name: Annotated[str, typer.Argument(help="A model name.")],
    batch: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "1,32",
    rounds: Annotated[int, typer.Option(help="How often each runtime has its turn.", min=3)] = 30,
    as_json: AsJson = False,
) -> None:
    """Latency of a model on Keras, ONNX Runtime and LiteRT, taking turns in one process."""
    sizes = _sizes(batch)
    import_tensorflow()
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
