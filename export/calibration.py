"""Calibration data of full-integer files: where they come from, whether they fit, and what a file remembers of them."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from export.manifest import Spread
from export.runtime.inputs import Arrays, checked
from zoo.errors import DataMissing, InvalidInput
from zoo.spec import ModelSpec, Signature, TensorSpec

Batches = Iterable[Mapping[str, Any]]
_EXAMPLES = 100
_SAMPLES, _BATCH, _STEPS = 4, 1, 50


def fitting(signature: Signature, batches: Batches | None) -> tuple[Arrays, ...]:
    """Raises InvalidInput naming the first batch that does not fit the model's inputs."""
    arrays = []
    for index, batch in enumerate(batches or ()):
        try:
            arrays.append(checked(signature.inputs, batch))
        except InvalidInput as error:
            raise InvalidInput(f"Calibration batch {index}: {error}") from error
    if batches is not None and not arrays:
        raise InvalidInput("calibration holds no batch. Give some 100 batches of what the model will see.")
    return tuple(arrays)


def typical(spec: ModelSpec | None, signature: Signature, quantize: str) -> list[Mapping[str, Any]]:
    """Some 100 training examples of a zoo model, spread over its data set. Raises InvalidInput for a model without a
    card, DataMissing where the data set is not at hand."""
    if spec is None:
        raise InvalidInput(
            f"quantize={quantize!r} needs calibration data: calibration=[{{'input name': array}}, …], "
            "some 100 batches of what the model will see."
        )
    from zoo import datasets

    try:
        train = datasets.get(spec.dataset.name).load().train
    except DataMissing as error:
        raise DataMissing(f"quantize={quantize!r} needs calibration data: {error} Or give calibration=.") from error
    name, step = signature.input_names[0], max(1, len(train) // _EXAMPLES)
    batches = (train.take(slice(index, index + 1)).x for index in range(0, len(train), step))
    return [batch if isinstance(batch, Mapping) else {name: batch} for batch in batches]


def spreads(signature: Signature, batches: Sequence[Arrays]) -> dict[str, Spread]:
    """Of every input of numbers, feature by feature."""
    floats = [spec for spec in signature.inputs if spec.dtype == "float32"] if batches else []
    return {spec.name: _spread(spec, [batch[spec.name] for batch in batches]) for spec in floats}


def _spread(spec: TensorSpec, arrays: Sequence[np.ndarray]) -> Spread:
    features = (len(spec.shape) > 1 and spec.shape[-1]) or 1
    rows = np.concatenate([array.reshape(-1, features) for array in arrays])
    found = (rows.mean(0), rows.std(0), rows.min(0), rows.max(0))
    return Spread(*(tuple(float(f"{value:.6g}") for value in column) for column in found))


def alike(specs: Sequence[TensorSpec], known: Mapping[str, Spread]) -> Iterator[Arrays]:
    """Inputs as the calibration data were: normal values of their means and deviations, within their ranges; where
    nothing is known, zeros."""
    random = np.random.default_rng(0)
    for _ in range(_SAMPLES):
        yield {spec.name: _values(_sized(spec), known.get(spec.name), random) for spec in specs}


def _sized(spec: TensorSpec) -> TensorSpec:
    free = {"batch": _BATCH, "time": _STEPS}
    sizes = (free.get(axis, 1) if size is None else size for size, axis in zip(spec.shape, spec.axes, strict=True))
    return dataclasses.replace(spec, shape=tuple(sizes))


def _values(spec: TensorSpec, known: Spread | None, random: np.random.Generator) -> np.ndarray:
    shape = [size or 1 for size in spec.shape]
    if known is None:
        return np.zeros(shape, spec.dtype)
    values = random.standard_normal(shape) * np.array(known.deviation) + np.array(known.mean)
    return np.clip(values, known.lowest, known.highest).astype(spec.dtype)
