"""`zoo export` and `zoo check`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from export.quiet import quiet
from zoo.cli.output import AsJson, console, print_json, print_lines, size
from zoo.cli.quiet import import_tensorflow
from zoo.errors import ParityError


def export(
    model: Annotated[str, typer.Argument(help="A model name, or the path of a .keras file.")],
    to: Annotated[
        str, typer.Option(help="Some of onnx, tflite and saved_model, with commas between them.")
    ] = "onnx,tflite,saved_model",
    out: Annotated[Path, typer.Option(help="The folder that gets OUT/NAME/.")] = Path("out"),
    quantize: Annotated[str | None, typer.Option(help="dynamic, float16, int8 or int16x8.")] = None,
    streaming: Annotated[bool, typer.Option("--streaming", help="States become inputs and outputs.")] = False,
    chunk: Annotated[int, typer.Option(help="The steps a streaming TFLite file takes at a time.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Writes the model in each format, runs what was written, and compares it with Keras."""
    import_tensorflow()
    import export as engine

    formats = tuple(name.strip() for name in to.split(",") if name.strip())
    with quiet():  # LiteRT announces its delegates on standard error
        artifacts = engine.export(model, to=formats, out=out, quantize=quantize, streaming=streaming, chunk=chunk)
    if as_json:
        print_json([artifact.as_json() for artifact in artifacts])
        return
    print_lines([_row(artifact) for artifact in artifacts])
    for note in dict.fromkeys(note for artifact in artifacts for note in artifact.notes):
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def check(
    path: Annotated[Path, typer.Argument(help="A .onnx or .tflite file, or a SavedModel folder.")],
    against: Annotated[
        str | None, typer.Option(help="The Keras model, a name or a .keras file; a file of a zoo model knows its own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Runs a file from anywhere against the Keras model it came from; exit code 1 if they differ."""
    import_tensorflow()
    from export.check import check_file

    try:
        with quiet():
            report = check_file(path, against=against)
    except ParityError as error:
        if as_json:
            print_json({"path": str(path), "ok": False, "error": str(error)})
        raise
    if as_json:
        print_json({"path": str(path), "ok": True, "max_abs_diff": report.max_abs_diff, "allowed": report.allowed})
        return
    console.print(
        f"{path}  max|diff| {report.max_abs_diff:.1e} (allowed {report.allowed:.0e})  ok", soft_wrap=True, markup=False
    )


NATIVE = ("LSTM", "DynamicQuantizeLSTM", "GRU", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE", "Loop", "Scan")
REMARK: dict[str, list[str]] = {"onnx": [], "tflite": ["no Flex"], "saved_model": ["serving_default"]}


def _row(artifact: Any) -> tuple[str, ...]:
    native = [f"{name} ×{count}" for name, count in artifact.operators.items() if name in NATIVE]
    shown = ", ".join(native + REMARK[artifact.format])
    checked = (
        f"max|diff| {artifact.max_abs_diff:.1e} (allowed {artifact.allowed:.0e})" if artifact.ok else "not checked"
    )
    return artifact.format, str(artifact.path), size(artifact.bytes), shown, checked, "ok" if artifact.ok else ""
