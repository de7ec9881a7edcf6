"""`zoo bench`: what a prediction of a model costs on each format and peer, or a suite that compares whole libraries."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from export.quiet import quiet
from zoo import registry
from zoo.cli.output import AsJson, console, print_json, print_table, require_picture, size
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput, unknown_name

# A suite is a module with `COLUMNS`, `ROUNDS`, `run(rounds) -> rows`, `table(rows) -> lines`, `summary(rows) -> text`
# and `plot(rows, path)`.
SUITES = {
    "inference": "zoo.benchmarks.inference",
    "streaming": "zoo.benchmarks.streaming",
    "layers": "zoo.benchmarks.layers",
    "zoo": "zoo.benchmarks.pretrained",
    "scaling": "zoo.benchmarks.scaling",
    "forms": "zoo.benchmarks.forms",
}


def bench(
    name: Annotated[str, typer.Argument(help=f"A model name, a file, or a suite: {', '.join(SUITES)}.")],
    against: Annotated[
        str | None,
        typer.Option(
            help="keras, keras-export, torch, openvino, litert, litert-default, saved-model, with commas, beside our "
            "ONNX file; else keras and litert. An .onnx or .tflite file runs on its own runtime, an .onnx file on "
            "openvino too."
        ),
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Batch sizes of a model, separated by commas; else 1,32.")] = None,
    time: Annotated[int | None, typer.Option(help="Steps of the inputs; else the model's window.", min=1)] = None,
    threads: Annotated[str | None, typer.Option(help="Numbers of threads, separated by commas; else 1.")] = None,
    quantize: Annotated[
        str | None, typer.Option(help="Quantised forms besides: dynamic, float16, int8, int16x8.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="How often each candidate has its turn.", min=3)] = None,
    plot: Annotated[Path | None, typer.Option(help="A picture of it, as .png, .svg or .pdf.")] = None,
    as_json: AsJson = False,
) -> None:
    """File, cold start, latency, throughput, memory and score of a model on each runtime, the candidates taking turns
    in one process; or a suite."""
    require_picture("--plot", plot)
    if name in SUITES:
        given = {"--against": against, "--batch": batch, "--threads": threads, "--quantize": quantize, "--time": time}
        _refuse_options(name, [option for option, value in given.items() if value is not None])
        import_tensorflow()
        _suite(importlib.import_module(SUITES[name]), rounds, plot, as_json)
        return
    options = {
        "against": None if against is None else _names(against),
        "time": time,
        "threads": _sizes("--threads", "1" if threads is None else threads),
        "quantize": _names(quantize or ""),
    }
    sizes = _sizes("--batch", "1,32" if batch is None else batch)
    _require_known(name)
    import_tensorflow()
    _model(name, sizes, rounds or 30, options, plot, as_json)


def _suite(suite: Any, rounds: int | None, plot: Path | None, as_json: bool) -> None:
    with quiet():  # XLA and oneDNN announce themselves on standard error
        rows = suite.run(rounds or suite.ROUNDS)
    if plot:
        suite.plot(rows, plot)
    if as_json:
        print_json(rows)
        return
    console.print(suite.summary(rows), soft_wrap=True)
    print_table(suite.COLUMNS, suite.table(rows), right=suite.COLUMNS[1:])


def _model(name: str, sizes: list[int], rounds: int, options: Any, plot: Path | None, as_json: bool) -> None:
    from zoo.benchmarks import latency

    with quiet():  # LiteRT announces its delegates on standard error
        rows = latency.measure(name, sizes, rounds, cold=True, **options)
    if plot:
        from zoo.benchmarks import pictures

        pictures.latency(rows, plot)
    if as_json:
        print_json(rows)
        return
    console.print(f"[bold]{name}[/]  {latency.conditions(rows)}", soft_wrap=True)
    _print_files(rows)
    console.print()
    _print_times(rows, several=len({row["threads"] for row in rows}) > 1)


def _print_files(rows: Sequence[dict[str, Any]]) -> None:
    """A line a runtime: what it is, and what a fresh process of it costs; then those that cannot be timed, and why."""
    first = {row["runtime"]: row for row in reversed(rows)}
    columns = ("runtime", "file", "cold start", "CPU", "memory", "score", "")
    table = [
        (
            title,
            size(row["bytes"]) if row["bytes"] else "",
            f"{row['cold_s']:.2f} s" if row["cold_s"] else "",
            f"{row['cold_cpu_s']:.2f} s" if row["cold_cpu_s"] else "",
            f"{row['peak_mib']:.0f} MiB" if row["peak_mib"] else "",
            _score(row),
            row["operators"],
        )
        for title, row in reversed(first.items())
    ]
    print_table(columns, table, right=columns[1:-1])
    for title, row in reversed(first.items()):
        if row["status"] != "ok":
            console.print(f"{title}: {row['status']}", soft_wrap=True, markup=False)


def _score(row: dict[str, Any]) -> str:
    from zoo.evaluation import number

    return number(row["metric"], row["score"]) if row["metric"] else ""


def _print_times(rows: Sequence[dict[str, Any]], several: bool) -> None:
    """A line a runtime, number of threads (if there are several) and batch size."""
    columns = (
        "runtime",
        *(["threads"] if several else []),
        "batch",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "a second",
        "vs predict",
    )
    table = [
        (
            row["runtime"],
            *([row["threads"]] if several else []),
            row["batch"],
            *(f"{row[name]:.3f}" for name in ("p50_ms", "p90_ms", "p99_ms")),
            f"{row['per_second']:,.0f}",
            f"{row['ratio_to_keras']:.1f}×" if row["ratio_to_keras"] else "",
        )
        for row in rows
        if row["status"] == "ok"
    ]
    print_table(columns, table, right=columns[1:])


def _require_known(name: str) -> None:
    """Raises UnknownName with the nearest model or suite, where the name is neither, nor a path."""
    models = registry.all_names()
    if name not in models and Path(name).name == name and Path(name).suffix[1:] not in ("keras", "onnx", "tflite"):
        remedy = f"Run `zoo list` to see all {len(models)} models; the suites are {', '.join(SUITES)}."
        raise unknown_name("model or suite", name, [*models, *SUITES], remedy)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _sizes(option: str, text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError as error:
        raise InvalidInput(f"{option} {text!r} must be whole numbers with commas between them, as in 1,32.") from error


def _refuse_options(suite: str, options: Sequence[str]) -> None:
    if options:
        raise InvalidInput(
            f"{options[0]} is for a model; suite {suite!r} has sizes and peers of its own. Leave it out."
        )
