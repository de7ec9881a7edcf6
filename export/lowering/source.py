"""A Keras model as a flat function of named tensors, whatever its class: what every exporter traces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import Unsupported
from zoo.spec import Signature, TensorSpec

_AUTOMATIC = re.compile(r"(input_layer|keras_tensor|input)(_\d+)?")
_AXES = {1: ("batch",), 2: ("batch", "feature"), 3: ("batch", "time", "feature")}


@dataclass(frozen=True)
class Source:
    """`signature` names the flat inputs and outputs; `structure` is the nesting the model itself takes."""

    model: keras.Model
    signature: Signature
    structure: Any

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The model's flat outputs, in inference mode."""
        nested = keras.tree.pack_sequence_as(self.structure, list(tensors))
        return keras.tree.flatten(self.model(nested, training=False))


def read(model: keras.Model) -> Source:
    """Raises Unsupported for a model whose inputs are unknown, of strings, or not dense arrays."""
    structure, inputs = _inputs(model)
    source = Source(model, Signature(inputs, ()), structure)
    return Source(model, Signature(inputs, _outputs(source)), structure)


def _inputs(model: keras.Model) -> tuple[Any, tuple[TensorSpec, ...]]:
    functional = getattr(model, "_functional", None) or model
    structure = getattr(functional, "_inputs_struct", None)
    if structure is not None:
        tensors = keras.tree.flatten(structure)
        return structure, _specs(model, tensors, [tensor.name for tensor in tensors], "input")
    shape = model.get_build_config() if model.built else None
    if not shape or not (shape.get("input_shape") or shape.get("shapes_dict")):
        raise Unsupported(
            f"Model {model.name!r} ({type(model).__name__}) has no input shape yet. "
            "Call it once on an example batch, or build it as keras.Model(inputs, outputs), then export."
        )
    structure = _shapes(shape)
    shapes = keras.tree.flatten_shape_like(structure) if hasattr(keras.tree, "flatten_shape_like") else [structure]
    tensors = [keras.KerasTensor(shape, "float32") for shape in shapes]
    return structure, _specs(model, tensors, ["input"] * len(tensors), "input")


def _shapes(config: dict[str, Any]) -> Any:
    return config.get("input_shape") or next(iter(config["shapes_dict"].values()))


def _outputs(source: Source) -> tuple[TensorSpec, ...]:
    model, specs = source.model, source.signature.inputs
    if getattr(model, "outputs", None):
        names = list(model.output_names)
        tensors = keras.tree.flatten(model.outputs)
        names = names if len(names) == len(tensors) else ["output"] * len(tensors)
        return _specs(model, tensors, names, "output", taken=source.signature.input_names)
    with tf.Graph().as_default():
        tensors = source([tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs])
    return _specs(model, tensors, ["output"] * len(tensors), "output", taken=source.signature.input_names)


def _specs(
    model: keras.Model, tensors: Sequence[Any], names: Sequence[str], kind: str, taken: Sequence[str] = ()
) -> tuple[TensorSpec, ...]:
    used, specs = set(taken), []
    for tensor, name in zip(tensors, names, strict=True):
        name = _free(kind if _AUTOMATIC.fullmatch(name) else name, used)
        used.add(name)
        dtype = tf.as_dtype(tensor.dtype).name
        if dtype == "string":
            raise Unsupported(
                f"Model {model.name!r} has the string {kind} {name!r}: no recurrent operator reads text. "
                "Tokenise before the model and export from the integer tokens on."
            )
        specs.append(
            TensorSpec(
                name, "float32" if dtype in ("bfloat16", "float16", "float64") else dtype, *_axes(tensor.shape, dtype)
            )
        )
    return tuple(specs)


def _free(name: str, used: set[str]) -> str:
    return next(free for free in (name, *(f"{name}_{n}" for n in range(1, len(used) + 2))) if free not in used)


def _axes(shape: Any, dtype: str) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    rank = len(shape)
    if rank == 2 and dtype.startswith("int"):
        return tuple(shape), ("batch", "time")
    return tuple(shape), _AXES.get(rank) or ("batch", "time", *(f"axis{axis}" for axis in range(2, rank)))
