"""Weights in half the bytes, or a quarter: rounded, so that every format computes with the same numbers."""

import os
from pathlib import Path

import h5py
import keras
import numpy as np

from export.quantize import powers_of_two


def round_weights(model: keras.Model, stored: str) -> None:
    """Rounds the weights; they stay float32. "float16": to numbers that it holds; "int8": those of a matrix to int8
    numbers times a power of two for each entry of its last axis, biases as for "float16"; "float32": nothing to do."""
    if stored == "float32":
        return
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if value.dtype != np.float32:
            continue
        if stored == "int8" and value.ndim > 1 and "bias" not in weight.name:
            scales = powers_of_two(value, (-1,))
            weight.assign(np.rint(value / scales) * scales)
        else:
            weight.assign(value.astype("float16").astype("float32"))


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
