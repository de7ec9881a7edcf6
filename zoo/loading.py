"""From a name or a card to a Keras model with its weights, verified before use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from zoo import models, registry
from zoo.errors import UntrustedFile

WEIGHTS = "model.weights.h5"


def load(name: str) -> keras.Model:
    """The pretrained model. Raises UnknownName, or UntrustedFile if a file is not what its card says."""
    spec = registry.get(name)
    return load_weights(models.build(spec.family, spec.config, name=name), registry.file(name, WEIGHTS))


def load_weights(model: keras.Model, path: Path) -> keras.Model:
    """`model` with the weights of `path`. Raises UntrustedFile with a name-by-name difference if they do not fit."""
    try:
        with h5py.File(path) as file:
            found = _found(file)
    except OSError as error:
        raise UntrustedFile(f"{path} is not a readable weights file ({error}). Fetch it again.") from error
    difference = _difference(model.weights, found)
    if difference:
        raise UntrustedFile(f"{path} does not fit model {model.name!r}: {difference}")
    model.load_weights(path)
    return model


def _found(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """The shape of every array but the state of an optimizer."""
    shapes: dict[str, tuple[int, ...]] = {}
    file.visititems(lambda name, item: shapes.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None)
    return {name: shape for name, shape in shapes.items() if not name.startswith("optimizer/")}


def _difference(weights: Sequence[Any], found: dict[str, tuple[int, ...]]) -> str:
    """The weights of the model and the arrays of the file that have no partner of the same shape; "" if all have."""
    spare = dict(found)
    missing = []
    for weight in weights:
        partner = next((name for name, shape in spare.items() if shape == tuple(weight.shape)), None)
        if partner is None:
            missing.append(f"{weight.path} {list(weight.shape)}")
        else:
            del spare[partner]
    if not missing and not spare:
        return ""
    extra = ", ".join(f"{name} {list(shape)}" for name, shape in spare.items())
    return f"the file lacks {', '.join(missing) or 'nothing'}; it holds besides: {extra or 'nothing'}."
