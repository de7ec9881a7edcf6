"""What is to be exported: a `keras.Model`, a `.keras` file or a zoo name, resolved to one `Subject`."""

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export.lowering import source as sources
from export.lowering.source import Source
from export.runtime.executor import first_line
from zoo.errors import InvalidInput, UntrustedFile
from zoo.spec import ModelSpec


@dataclass(frozen=True)
class Subject:
    """`name` is the zoo name, the stem of the file, or the model's own name; `spec` the card, where there is one."""

    name: str
    source: Source
    spec: ModelSpec | None = None


def resolve(model: Any, spec: ModelSpec | None = None) -> Subject:
    """`spec` is the card of a model that has one and is not given by its zoo name.

    Raises InvalidInput, UnknownName, UntrustedFile for a damaged file or one that holds code, and Unsupported.
    """
    if isinstance(model, keras.Model):
        return _subject(spec.name if spec else model.name, model, spec)
    if not isinstance(model, str | os.PathLike):
        raise InvalidInput(
            f"Cannot export a {type(model).__name__}. Give a keras.Model, the path of a .keras file, or a zoo name."
        )
    path = Path(model)
    if path.suffix == ".keras":
        return _subject(spec.name if spec else path.stem, read_keras(path), spec)
    if path.suffix in (".h5", ".hdf5", ".pb") or len(path.parts) != 1:
        raise InvalidInput(
            f"{str(model)!r} is not a .keras file. Save the model with model.save('name.keras') and export that."
        )
    if spec is not None:
        raise InvalidInput(f"{path.name!r} is a zoo name, which has a card of its own. Leave spec out.")
    import zoo

    return _subject(path.name, zoo.load(path.name), zoo.describe(path.name))


def _subject(name: str, model: keras.Model, spec: ModelSpec | None) -> Subject:
    if Path(name).name != name or name in ("", ".."):
        raise InvalidInput(f"Model name {name!r} is no file name. Rename the model: keras.Model(…, name='my_model').")
    source = sources.read(model)
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight).astype("float32")).all():
            raise InvalidInput(
                f"Weight {weight.path!r} of model {name!r} holds NaN or infinity. Export a model that trained well."
            )
    return Subject(name, source, spec)


def read_keras(path: Path) -> keras.Model:
    """The model in a `.keras` file, which may hold no code: Keras' safe mode, and no `Lambda` layer."""
    if not path.is_file():
        raise InvalidInput(f"There is no file {str(path)!r}. Check the path.")
    try:
        _refuse_code(path, _config(path))
    except RecursionError as error:
        raise _damaged(path, "its configuration is nested too deeply") from error
    import zoo.layers  # noqa: F401  registers our layers with Keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (TypeError, ImportError) as error:
        raise InvalidInput(
            f"{path} holds a class that Keras cannot find: {first_line(error)} "
            "Load it yourself with keras.saving.load_model(path, custom_objects=…) and export the model."
        ) from error
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise UntrustedFile(
            f"{path} is not a .keras file that Keras {keras.__version__} can load: {first_line(error)}"
        ) from error


def _config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise _damaged(path, first_line(error)) from error
    if not isinstance(config, dict):
        raise _damaged(path, "its configuration is no JSON object")
    return config


def _damaged(path: Path, why: str) -> UntrustedFile:
    return UntrustedFile(f"{path} is damaged or not a .keras file: {why}. Save the model again.")


def _refuse_code(path: Path, config: Any) -> None:
    for item in _objects(config):
        if item.get("class_name") in ("Lambda", "__lambda__"):
            name = item.get("config", {}).get("name", "lambda") if isinstance(item.get("config"), dict) else "lambda"
            raise UntrustedFile(
                f"{path} holds Python code in layer {name!r} (Lambda), which is never loaded from a file. "
                "Replace it by a layer class or keras.ops, or build the model in code and export the object."
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside `config`, outermost first."""
    if isinstance(config, dict):
        yield config
    for child in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _objects(child)
