"""Weights in half the bytes: rounded to float16, so that every format computes with the same numbers."""

import os
from pathlib import Path

import h5py
import keras
import numpy as np


def halve(model: keras.Model) -> None:
    """Rounds the weights to numbers that float16 holds; they stay float32."""
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if value.dtype == np.float32:
            weight.assign(value.astype("float16").astype("float32"))


def compress(path: Path) -> None:
    """Packs the arrays of a weights file without loss: of halved float32 the empty half of the bytes takes no room.

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
