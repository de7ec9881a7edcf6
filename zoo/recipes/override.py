"""Settings found by `zoo tune`, in a JSON file: `zoo train NAME --override FILE` trains the recipe with them.

    {"recipe": "gru.har", "settings": {"learning_rate": 0.002, "config.dropout": 0.4}, "found": {…}}

A setting is a number of the recipe, or with `config.` before it one of its model. `found` says where they come from.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import InvalidInput
from zoo.recipes.recipe import SETTINGS, Recipe

_COUNTS = ("epochs", "batch_size")
_OF_THE_DATA = ("config.features", "config.classes", "config.outputs")
_SHARES = ("warmup", "label_smoothing", "average", "config.dropout")


def write(path: Path, recipe: Recipe, settings: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Writes the file beside and moves it into place."""
    text = json.dumps({"recipe": recipe.name, "settings": dict(settings), "found": dict(found)}, indent=1)
    beside = path.with_name(f"{path.name}.partial")
    beside.write_text(text + "\n", "utf-8")
    os.replace(beside, path)


def read(path: Path, recipe: Recipe) -> Recipe:
    """`recipe` with the settings of the file. Raises InvalidInput naming the setting that does not fit."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise InvalidInput(f"{path} holds no settings: it should read {{'recipe': …, 'settings': {{…}}}}.")
    if content.get("recipe") != recipe.name:
        raise InvalidInput(f"{path} holds settings for {content.get('recipe')!r}, not for {recipe.name!r}.")
    return apply(recipe, content["settings"], str(path))


def apply(recipe: Recipe, settings: Mapping[str, Any], where: str = "The override") -> Recipe:
    """`recipe` with other settings. Raises InvalidInput for one that is unknown, mistyped or out of range."""
    for name, value in settings.items():
        _check(recipe, name, value, where)
    config = {name[7:]: value for name, value in settings.items() if name.startswith("config.")}
    plain = {name: value for name, value in settings.items() if not name.startswith("config.")}
    changed = {**recipe.changed, "settings": dict(settings)}
    return dataclasses.replace(recipe, **plain, config={**recipe.config, **config}, changed=changed)


def value(recipe: Recipe, name: str) -> Any:
    """The recipe's own value of a setting."""
    return recipe.config[name[7:]] if name.startswith("config.") else getattr(recipe, name)


def _check(recipe: Recipe, name: str, given: Any, where: str) -> None:
    known = [*SETTINGS, *(f"config.{key}" for key in recipe.config)]
    known = [key for key in known if key not in _OF_THE_DATA]
    if name not in known:
        raise InvalidInput(f"{where} sets {name!r}, which {recipe.name} does not have; it has {', '.join(known)}.")
    old = value(recipe, name)
    kind = (int, float) if type(old) is float else type(old)
    if not isinstance(given, kind) or isinstance(given, bool) != isinstance(old, bool):
        raise InvalidInput(f"{where} sets {name!r} to {given!r}; it must be like {old!r}, which {recipe.name} has.")
    if isinstance(given, list) and {type(item) for item in given} != {type(old[0])}:
        raise InvalidInput(f"{where} sets {name!r} to {given!r}; it must be like {old!r}, which {recipe.name} has.")
    if type(old) in (int, float):
        limit = "from 0 up to, not including, 1" if name in _SHARES else f"{_least(name)} or more"
        if not _least(name) <= given < (1 if name in _SHARES else math.inf):
            raise InvalidInput(f"{where} sets {name!r} to {given!r}; it must be {limit}.")


def _least(name: str) -> int:
    return 1 if name in _COUNTS else 0
