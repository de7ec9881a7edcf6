"""`zoo inspect`: the gates and states of a layer over an input, as a picture, a table and arrays."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from zoo import registry
from zoo.cli.output import AsJson, console, print_json, print_table, require_picture
from zoo.cli.quiet import import_tensorflow
from zoo.errors import InvalidInput

if TYPE_CHECKING:
    from zoo.inspection import Inspection

OPEN, SHUT = 0.9, 0.1


def inspect(
    name: Annotated[str, typer.Argument(help="A model name, or the path of a .keras file.")],
    input: Annotated[str, typer.Argument(help="What `zoo predict` takes; for a .keras file a .npy or .csv file.")],
    out: Annotated[Path | None, typer.Option(help="The picture: .png, .svg or .pdf.")] = None,
    layer: Annotated[str | None, typer.Option(help="A recurrent layer; the first unless given.")] = None,
    units: Annotated[str | None, typer.Option(help="Units, as in 0,3,17; all unless given.")] = None,
    example: Annotated[int, typer.Option(help="Which window of the input, counted from 0.")] = 0,
    arrays: Annotated[Path | None, typer.Option(help="An .npz file for the values of every signal.")] = None,
    as_json: AsJson = False,
) -> None:
    """Looks inside a model: every gate and state of a recurrent layer over time."""
    chosen = _units(units)
    require_picture("--out", out)
    _require_arrays(arrays)
    import_tensorflow()
    from zoo.inspection import inspect

    model, x, drawing = _own(name, input) if name.endswith(".keras") else _pretrained(name, input)
    found = inspect(model, _one(x, example), layer=layer, units=chosen)
    if drawing.get("words"):
        drawing["words"] = drawing["words"][example]
    if out:
        found.plot(out, **drawing)
    if arrays:
        _save(found, arrays)
    _report(found, name, [path for path in (out, arrays) if path], as_json)


def _require_arrays(path: Path | None) -> None:
    """Raises InvalidInput for arrays that could not be written, before anything is computed for them."""
    if path is not None and path.suffix != ".npz":
        raise InvalidInput(f"--arrays {str(path)!r} must end in .npz.")
    if path is not None and not path.absolute().parent.is_dir():
        raise InvalidInput(f"--arrays: there is no folder {str(path.parent)!r}.")


def _units(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(unit) for unit in text.split(",")]
    except ValueError as error:
        raise InvalidInput(f"--units {text!r} must be whole numbers with commas between them, as in 0,3,17.") from error


def _one(x: np.ndarray, example: int) -> np.ndarray:
    if not 0 <= example < len(x):
        raise InvalidInput(f"--example {example} is not there: the input has {len(x)}, counted from 0.")
    return x[example : example + 1]


def _own(path: str, input: str) -> tuple[Any, np.ndarray, dict[str, Any]]:
    """The model in a .keras file and the array in the other file, an example or a batch of them."""
    from export.subject import read_keras
    from zoo.features import windows

    model, array = read_keras(Path(path)), windows.read(input)
    rank = len(model.inputs[0].shape)
    return model, array if array.ndim == rank else array[None], {}


def _pretrained(name: str, input: str) -> tuple[Any, np.ndarray, dict[str, Any]]:
    """The model of that name, what its pipeline makes of the input, and how to draw it."""
    from export.backends import open_model
    from export.runtime.pipelines import pipeline
    from export.runtime.pipelines.text_generation import TextGeneration
    from zoo.loading import load

    spec = registry.get(name)
    if len(spec.signature.inputs) > 1:
        raise InvalidInput(f"Model {name!r} has {len(spec.signature.inputs)} inputs; `inspect` runs models of one.")
    heard = _Heard(open_model(name, "onnx"))
    found = pipeline(spec, heard)  # type: ignore[arg-type]  # all a pipeline asks of an executor
    if isinstance(found, TextGeneration):
        x = np.array([found.tokens(input)], "int32")
    else:
        found(input)
        x = heard.inputs[spec.signature.input_names[0]]
    drawing: dict[str, Any] = {"sample_rate": spec.sample_rate, "unit": spec.signature.inputs[0].unit}
    if "tokenizer.json" in spec.files:
        from zoo.features import text

        tokenizer = text.load(registry.file(name, "tokenizer.json"))
        drawing = {"words": [[tokenizer.id_to_token(int(token)) or "" for token in row] for row in x]}
    return load(name), x, drawing


class _Heard:
    """An executor that keeps what it was given first."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.inputs: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executor, name)

    def run(self, inputs: Any) -> Any:
        self.inputs = self.inputs or dict(inputs)
        return self.executor.run(inputs)


def _save(found: "Inspection", path: Path) -> None:
    backward = {f"backward_{name}": values for name, values in found.backward.items()}
    more = {} if found.mask is None else {"mask": found.mask}
    units = np.array(found.units)
    np.savez(path, inputs=found.inputs, units=units, **found.signals, **backward, **more)  # type: ignore[arg-type]


def _report(found: "Inspection", name: str, written: list[Path], as_json: bool) -> None:
    signals = {**found.signals, **{f"backward {key}": values for key, values in found.backward.items()}}
    valid = np.ones(len(found.inputs), bool) if found.mask is None else found.mask
    rows = [(key, *_summary(key, values[valid])) for key, values in signals.items()]
    columns = ("signal", "mean", "least", "most", "shut", "open")
    if as_json:
        facts = {"name": name, "layer": found.layer, "cell": found.cell, "units": list(found.units)}
        print_json({**facts, "signals": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    steps = found.signals["hidden_state"].shape[1]
    console.print(f"{name}  {found.layer} ({found.cell}), {len(found.units)} units over {steps} steps", soft_wrap=True)
    print_table(columns, [tuple(map(_cell, row)) for row in rows], right=columns[1:])
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


def _summary(name: str, values: np.ndarray) -> tuple[float | None, ...]:
    """Mean, least and most; of a gate also how often it is all but shut and all but open."""
    if not values.size:  # every step was masked
        return (None,) * 5
    plain = (float(values.mean()), float(values.min()), float(values.max()))
    if not name.endswith("gate"):
        return (*plain, None, None)
    return (*plain, float((values < SHUT).mean()), float((values > OPEN).mean()))


def _cell(value: Any) -> str:
    return value.replace("_", " ") if isinstance(value, str) else "–" if value is None else f"{value:.2f}"
