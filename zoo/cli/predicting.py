"""`zoo predict`."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import zoo
from export.quiet import quiet
from zoo.cli.output import AsJson, console, print_json, print_table, require_picture
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput

SHOWN = 40  # characters of an input in an error about it


def predict(
    name: Annotated[str, typer.Argument(help="A model name.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="What the model reads, as `zoo show NAME` says; a model of text also reads .txt files, and - for "
            "standard input."
        ),
    ],
    backend: Annotated[str, typer.Option(help="onnx, keras, tflite or saved_model.")] = "onnx",
    at: Annotated[int | None, typer.Option(help="Forecast as of this row; the rows behind it are the truth.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the answers to the only input as a picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """The model's answers to raw input."""
    if plot and len(inputs) > 1:
        raise InvalidInput(f"--plot draws one input, not {len(inputs)}: call once for each.")
    require_picture("--plot", plot)
    if backend != "onnx":
        import_tensorflow()
    with quiet():  # LiteRT announces its delegates on standard error
        pipeline = zoo.pipeline(name, backend)
        pipeline = pipeline if at is None else pipeline.at(at)
        given = [_given(pipeline, argument) for argument in inputs]
        answers = [(raw, _predictions(pipeline, raw, alone=len(inputs) == 1)) for raw in given]
    if plot:
        pipeline.plot(given[0], answers[0][1], plot)
    if as_json:
        found_of = zip(inputs, (found for _, found in answers), strict=True)
        print_json([{"input": name, **dataclasses.asdict(item)} for name, found in found_of for item in found])
        return
    for raw, found in answers:
        console.print(pipeline.heading(raw, found))
        if found:
            print_table(pipeline.COLUMNS, [item.cells() for item in found], right=pipeline.RIGHT)
        else:  # only one that spots keywords may have nothing to say
            keywords = ", ".join(pipeline.spec.labels[2:])
            console.print(f"No keyword was heard ({keywords}).", soft_wrap=True, markup=False)


def _given(pipeline: Any, argument: str) -> str:
    """Of a pipeline that takes text: what stands in the .txt file, or comes from standard input for -; else the
    argument itself."""
    if not pipeline.TEXT or not (argument == "-" or argument.endswith(".txt")):
        return argument
    if argument != "-" and not os.path.isfile(argument):
        raise InvalidInput(f"There is no file {argument!r}. Check the path.")
    content = sys.stdin.buffer.read() if argument == "-" else Path(argument).read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        where = "Standard input" if argument == "-" else argument
        raise InvalidInput(f"{where} is not UTF-8 text ({error.reason} at byte {error.start}).") from error


def _predictions(pipeline: Any, raw: str, alone: bool) -> Any:
    """An error says which file, or which of several inputs, it speaks of."""
    try:
        return pipeline(raw)
    except InvalidInput as error:
        text, is_file = str(error), os.path.isfile(raw)
        if text.startswith(raw) or (alone and not is_file):
            raise
        raise InvalidInput(f"{raw if is_file or len(raw) <= SHOWN else raw[:SHOWN] + '…'}: {text}") from error
