"""A Keras model as a flat function of named tensors, whatever its class: what every exporter traces."""

import dataclasses
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from export.lowering.rules import RULES
from export.lowering.trace import Rule, flat_layers
from zoo.errors import Unsupported
from zoo.spec import DTYPES, Signature, TensorSpec

_AUTOMATIC = re.compile(r"(input_layer|keras_tensor)(_\d+)?")  # names that Keras made up
_UNSAFE = re.compile(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_]")  # what a SavedModel does not keep in a name
_AXES: dict[int, tuple[str, ...]] = {0: (), 1: ("batch",), 2: ("batch", "feature"), 3: ("batch", "time", "feature")}


@dataclass(frozen=True)
class Source:
    """`signature` names the flat inputs and outputs; `structure` is the nesting the model itself takes; `notes` say
    what the model does not record of them."""

    model: keras.Model
    signature: Signature
    structure: Any
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def rules(self) -> Sequence[tuple[type, Rule]]:
        """What `trace.lowered` takes for this source; a streaming one has rules of its own."""
        return RULES

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The model's flat outputs, in inference mode. Raises Unsupported in a trace where Python reads a number."""
        return keras.tree.flatten(self.nested(tensors))

    def nested(self, tensors: Sequence[Any]) -> Any:
        """The outputs as the model nests them."""
        nested = keras.tree.pack_sequence_as(self.structure, list(tensors))
        try:
            return self.model(nested, training=False)
        except (TypeError, NotImplementedError, AttributeError) as error:
            if "symbolic" in str(error).lower():
                raise _untraceable(self.model) from error
            raise


def read(model: keras.Model) -> Source:
    """Raises Unsupported for a model whose inputs are unknown, sparse, or of a type that files do not hold."""
    structure, inputs = _inputs(model)
    source = Source(model, Signature(inputs, ()), structure, notes=_notes(model, inputs))
    return dataclasses.replace(source, signature=Signature(inputs, _outputs(source)))


def _notes(model: keras.Model, inputs: Sequence[TensorSpec]) -> tuple[str, ...]:
    if _structure(model) is not None:
        return ()
    taken = ", ".join(spec.describe() for spec in inputs)
    return (
        f"Of its inputs {type(model).__name__} records only the shape of the batch it was built with; they are taken "
        f"for {taken}. For another type or a free axis, build it as keras.Model(inputs, outputs).",
    )


def _structure(model: keras.Model) -> Any:
    """The nested `KerasTensor`s a model was built from; None of a subclassed one."""
    return getattr(getattr(model, "_functional", None) or model, "_inputs_struct", None)


def _inputs(model: keras.Model) -> tuple[Any, tuple[TensorSpec, ...]]:
    structure = _structure(model)
    if structure is not None:
        tensors = keras.tree.flatten(structure)
        return structure, _specs(model, tensors, [tensor.name for tensor in tensors], "input")
    shape = model.get_build_config() if model.built else None
    if model.built and shape is None:
        raise _untraceable(model)
    if not shape or not (shape.get("input_shape") or shape.get("shapes_dict")):
        raise Unsupported(
            f"Model {model.name!r} ({type(model).__name__}) has no input shape yet. "
            "Call it once on an example batch, or build it as keras.Model(inputs, outputs), then export."
        )
    arguments = inspect.signature(model.call).parameters.values()
    required = [
        item.name for item in arguments if item.default is item.empty and item.kind == item.POSITIONAL_OR_KEYWORD
    ]
    if len(required) > 1:
        raise Unsupported(
            f"Model {model.name!r} ({type(model).__name__}) takes its inputs as separate arguments: "
            f"call({', '.join(required)}). "
            "Take them as one list or dictionary, or build it as keras.Model(inputs, outputs), then export."
        )
    structure = keras.tree.map_shape_structure(
        lambda shape: keras.KerasTensor((None, *shape[1:]), "float32"), _shapes(shape)
    )
    tensors = keras.tree.flatten(structure)
    return structure, _specs(model, tensors, _keys(structure) or ["input"] * len(tensors), "input")


def _keys(structure: Any) -> list[str]:
    """Where each tensor stands in a structure with dictionaries, as in "state_h"; nothing of one without."""
    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    if not any(isinstance(key, str) for path in paths for key in path):
        return []
    return ["_".join(map(str, path)) for path in paths]


def _untraceable(model: keras.Model) -> Unsupported:
    return Unsupported(
        f"Model {model.name!r} ({type(model).__name__}) cannot be traced: its Python code reads numbers that are known "
        "only when it runs (float(…), .numpy(), or an if on a tensor). Compute them with keras.ops, choose with "
        "keras.ops.where or keras.ops.cond, then export."
    )


def _shapes(config: dict[str, Any]) -> Any:
    return config.get("input_shape") or next(iter(config["shapes_dict"].values()))


def _outputs(source: Source) -> tuple[TensorSpec, ...]:
    model = source.model
    functional = getattr(model, "_functional", None) or model
    if getattr(functional, "outputs", None):
        names = list(functional.output_names)
        tensors = keras.tree.flatten(functional.outputs)
        names = names if len(names) == len(tensors) else ["output"] * len(tensors)
        names = _keys(getattr(functional, "_outputs_struct", None)) or names
        if any(map(_has_uneven_sides, flat_layers(model))):
            tensors = keras.tree.flatten(_traced_outputs(source))
    else:
        structure = _traced_outputs(source)
        tensors = keras.tree.flatten(structure)
        names = _keys(structure) or ["output"] * len(tensors)
    return _specs(model, tensors, names, "output", taken=source.signature.input_names)


def _traced_outputs(source: Source) -> Any:
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in source.signature.inputs]
    traced = tf.function(lambda *tensors: source.nested(tensors), input_signature=signature, autograph=False)
    return traced.get_concrete_function().structured_outputs


def _has_uneven_sides(layer: keras.layers.Layer) -> bool:
    """Sides of different widths, of which Keras tells a shape as if both were as wide as the first."""
    if not isinstance(layer, keras.layers.Bidirectional):
        return False
    first, second = (keras.tree.flatten(side.state_size) for side in (layer.forward_layer, layer.backward_layer))
    return first[:1] != second[:1]


def _specs(
    model: keras.Model, tensors: Sequence[Any], names: Sequence[str], kind: str, taken: Sequence[str] = ()
) -> tuple[TensorSpec, ...]:
    specs = []
    for tensor, name in zip(tensors, _named(names, kind, set(taken)), strict=True):
        dtype = tf.as_dtype(tensor.dtype).name
        if dtype == "string":
            raise Unsupported(
                f"Model {model.name!r} has the string {kind} {name!r}: no recurrent operator reads text. "
                "Tokenise before the model and export from the integer tokens on."
            )
        dtype = "float32" if dtype in ("bfloat16", "float16", "float64") else dtype
        if dtype not in DTYPES:
            raise Unsupported(
                f"Model {model.name!r} has the {dtype} {kind} {name!r}; files hold {', '.join(DTYPES)}. "
                f"Give the {kind} one of these types and cast inside the model."
            )
        if getattr(tensor, "sparse", False):
            raise Unsupported(f"Model {model.name!r} has the sparse {kind} {name!r}: make it dense, then export.")
        specs.append(TensorSpec(name, dtype, *_axes(tensor.shape, dtype)))
    return tuple(specs)


def _named(names: Sequence[str], kind: str, used: set[str]) -> list[str]:
    """Names that are unique and keep to what files hold: first those that somebody gave, then those Keras made up."""
    found = {}
    for place in sorted(range(len(names)), key=lambda place: bool(_AUTOMATIC.fullmatch(names[place]))):
        given = kind if _AUTOMATIC.fullmatch(names[place]) else _UNSAFE.sub("_", names[place]).lstrip("_") or kind
        found[place] = _free(given, used)
        used.add(found[place])
    return [found[place] for place in range(len(names))]


def _free(name: str, used: set[str]) -> str:
    return next(free for free in (name, *(f"{name}_{n}" for n in range(1, len(used) + 2))) if free not in used)


def _axes(shape: Any, dtype: str) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    rank = len(shape)
    if rank == 2 and dtype.startswith(("int", "bool")):
        return tuple(shape), ("batch", "time")
    return tuple(shape), _AXES.get(rank, ("batch", "time", *(f"axis{axis}" for axis in range(2, rank))))
