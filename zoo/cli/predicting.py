"""`zoo predict`."""

import dataclasses
from typing import Annotated, Any

import typer

import zoo
from export.quiet import quiet
from zoo.cli.output import AsJson, console, print_json, print_table
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput


def predict(
    name: Annotated[str, typer.Argument(help="A model name.")],
    inputs: Annotated[list[str], typer.Argument(help="Recordings: .npy or .csv, one step a row.")],
    backend: Annotated[str, typer.Option(help="onnx, keras, tflite or saved_model.")] = "onnx",
    as_json: AsJson = False,
) -> None:
    """Labelled, scored predictions for recordings."""
    if backend != "onnx":
        import_tensorflow()
    with quiet():  # LiteRT announces its delegates on standard error
        pipeline = zoo.pipeline(name, backend)
        answers = [(path, _predictions(pipeline, path)) for path in inputs]
    if as_json:
        print_json([{"input": path, **dataclasses.asdict(item)} for path, found in answers for item in found])
        return
    for path, found in answers:
        console.print(path, style="bold", markup=False)
        rows = [(f"{item.start}–{item.end}", item.label, f"{100 * item.score:.1f} %") for item in found]
        print_table(("steps", "label", "score"), rows, right=("steps", "score"))


def _predictions(pipeline: Any, path: str) -> Any:
    """Of several recordings, an error says which one it speaks of."""
    try:
        return pipeline(path)
    except InvalidInput as error:
        text = str(error)
        raise InvalidInput(text if text.startswith(path) else f"{path}: {text}") from error
