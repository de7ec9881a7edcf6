"""The pretrained models by name: one folder each under `zoo/pretrained`, described by its `card.json`.

Deleting a folder deletes the model. Reads cards only, so it needs neither Keras nor TensorFlow.
"""

import fnmatch
import hashlib
import os
from functools import cache
from pathlib import Path

from zoo.errors import InvalidInput, UnknownName, UntrustedFile, unknown_name
from zoo.spec import ModelSpec, from_json, to_json

ROOT = Path(__file__).parent / "pretrained"


def names(pattern: str = "*") -> list[str]:
    """The names that match a shell-style pattern, sorted. Raises UnknownName if none does.

    >>> "gru.har" in names("*.har")
    True
    """
    known = all_names()
    found = fnmatch.filter(known, pattern)
    if not found:
        raise UnknownName(f"No model matches {pattern!r}. Run `zoo list` to see all {len(known)} names.")
    return found


def all_names() -> list[str]:
    """Every name, sorted; empty where no model is installed."""
    return sorted(path.parent.name for path in ROOT.glob("*/card.json"))


def folder(name: str) -> Path:
    """The folder of a model. Raises UnknownName with the nearest name."""
    path = ROOT / str(name)
    if path.name != name or not (path / "card.json").is_file():
        known = all_names()
        raise unknown_name("model", name, known, f"Run `zoo list` to see all {len(known)} names.")
    return path


@cache
def get(name: str) -> ModelSpec:
    """The card of a model."""
    path = folder(name) / "card.json"
    try:
        spec = from_json(ModelSpec, path.read_text("utf-8"))
    except InvalidInput as error:
        raise UntrustedFile(f"{path} is not a model card: {error} Reinstall the package.") from error
    if spec.name != name:
        raise UntrustedFile(f"{path} describes {spec.name!r}: a folder and its card must bear the same name.")
    return spec


def write_card(spec: ModelSpec) -> None:
    """Puts a card in place of the model's own, in one rename."""
    path = folder(spec.name) / "card.json"
    beside = path.with_suffix(".partial")
    beside.write_text(to_json(spec), "utf-8")
    os.replace(beside, path)
    get.cache_clear()


def file(name: str, file_name: str) -> Path:
    """A file of the model's folder, after its sha256 was found to be the card's. Raises UntrustedFile if not."""
    path, expected = folder(name) / file_name, get(name).files.get(file_name)
    if expected is None:
        raise InvalidInput(f"Model {name!r} has no file {file_name!r}; it has {', '.join(sorted(get(name).files))}.")
    if not path.is_file():
        raise UntrustedFile(f"{path} is missing. Reinstall the package.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        raise UntrustedFile(f"{path} has sha256 {digest}, its card says {expected}. Reinstall the package.")
    return path
