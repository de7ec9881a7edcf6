"""`zoo predict`."""

import dataclasses
from typing import Annotated

import typer

import zoo
from zoo.cli import quiet
from zoo.cli.output import AsJson, console, print_json, print_table


def predict(
    name: Annotated[str, typer.Argument(help="A model name.")],
    inputs: Annotated[list[str], typer.Argument(help="Recordings: .npy or .csv, one step a row.")],
    backend: Annotated[str, typer.Option(help="onnx, keras, tflite or saved_model.")] = "onnx",
    as_json: AsJson = False,
) -> None:
    """Labelled, scored predictions for recordings."""
    if backend != "onnx":
        quiet.import_tensorflow()
    pipeline = zoo.pipeline(name, backend)
    answers = {path: pipeline(path) for path in inputs}
    if as_json:
        print_json([{"input": path, **dataclasses.asdict(item)} for path, found in answers.items() for item in found])
        return
    for path, found in answers.items():
        console.print(path, style="bold", markup=False)
        rows = [(f"{item.start}–{item.end}", item.label, f"{100 * item.score:.1f} %") for item in found]
        print_table(("steps", "label", "score"), rows, right=("steps", "score"))
