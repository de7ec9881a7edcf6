"""Weights in half the bytes, or a quarter: rounded, so that every format computes with the same numbers."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from export.quantize import powers_of_two


def _halves(weight: Any, value: np.ndarray) -> np.ndarray:
    return value.astype("float16").astype("float32")


def _integers(weight: Any, value: np.ndarray) -> np.ndarray:
    """A matrix as int8 numbers times a power of two for each entry of its last axis; the rest in halves."""
    if value.ndim < 2 or "bias" in weight.name:
        return _halves(weight, value)
    scales = powers_of_two(value, (-1,))
    return np.rint(value / scales) * scales


ROUNDINGS: Mapping[str, Callable[[Any, np.ndarray], np.ndarray]] = {"float16": _halves, "int8": _integers}


def round_weights(model: keras.Model, stored: str) -> None:
    """Rounds the weights to numbers that "float16" or "int8" holds; they stay float32."""
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if value.dtype == np.float32:
            weight.assign(ROUNDINGS[stored](weight, value))


def compress(path: Path) -> None:
    """Packs the arrays of a weights file without loss: of rounded float32 the empty bytes take no room.

    The file reads as before: HDF5 unpacks by itself.
    """
    beside = path.with_name(f"{path.name}.partial")
    with h5py.File(path) as old, h5py.File(beside, "w") as new:
        _copy_attributes(old, new)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                _copy_attributes(item, new.require_group(name))
                return
            packing = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if item.shape else {}
            _copy_attributes(item, new.create_dataset(name, data=item[()], **packing))

        old.visititems(copy)
    os.replace(beside, path)


def _copy_attributes(old: h5py.HLObject, new: h5py.HLObject) -> None:
    for key, value in old.attrs.items():
        new.attrs[key] = value
