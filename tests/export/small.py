"""A small model to export, and what an export leaves in a folder."""

import dataclasses

import keras
from keras import layers

from export.lowering.source import read
from zoo.layers import GRU
from zoo.spec import DatasetRef, ModelSpec, Score, Signature


def build(name="small"):
    frames = keras.Input((None, 4), name="frames")
    return keras.Model(frames, layers.Dense(2, name="logits")(GRU(3)(frames)), name=name)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def card():
    signature = read(build()).signature
    frames = dataclasses.replace(signature.inputs[0], unit="g")
    return ModelSpec(
        name="gru.test", task="t", family="f", architecture="gru", summary="", intended_use="", limits=(), config={},
        signature=Signature((frames,), signature.outputs), labels=(), preprocessing="", parameters=1,
        dataset=DatasetRef("d", "", "", "", ""), scores=(Score("accuracy", "test", 1.0, 1),), published=(),
        multiply_adds_per_step=1, recipe="", seed=0, training={}, commit="", files={},
    )  # fmt: skip
