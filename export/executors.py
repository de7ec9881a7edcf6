"""Keras models and SavedModels behind the one face of `export.runtime.Executor`. Needs TensorFlow."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export import manifest
from export.lowering.plain import PlainTarget
from export.lowering.source import Source
from export.lowering.trace import Replacements, Rule, Tracer, flat_layers, lowered
from export.probes import Domain
from export.runtime import face, load
from export.runtime.executor import Executor, first_line
from export.runtime.inputs import Arrays
from zoo.errors import InvalidInput, UntrustedFile
from zoo.layers import DotAttention
from zoo.spec import Signature, TensorSpec


class KerasExecutor(Executor):
    """The model in inference mode. A stateful model starts every call from zero and keeps its own states through it.

    `float32=True` computes in float32 whatever the policies of the layers, as an exported file does.
    """

    def __init__(self, source: Source, *, float32: bool = False) -> None:
        self.source, self.signature = source, source.signature
        self._float32 = float32
        self._functions: dict[tuple[Any, ...], Any] = {}

    def run_checked(self, arrays: Arrays) -> Arrays:
        model, tensors = self.source.model, [tf.constant(arrays[name]) for name in self.signature.input_names]
        with _zero_states(model):
            try:
                values = self._traced(tensors)(*tensors)
            except (tf.errors.OpError, ValueError) as error:
                raise self.refuse_to_run(f"Keras model {model.name!r}", error) from error
        outputs = zip(self.signature.outputs, values, strict=True)
        return {spec.name: tf.cast(value, spec.dtype).numpy() for spec, value in outputs}

    def _traced(self, tensors: list[tf.Tensor]) -> Any:
        """One trace for each set of shapes: some Keras layers (`TimeDistributed`) are wrong where a trace leaves sizes
        free, and eager steps are ten times slower."""
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        if shapes not in self._functions:
            specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
            with warnings.catch_warnings():  # Keras advises against attention where an input has one step
                warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)
                self._functions[shapes] = tf.function(self._call, autograph=False).get_concrete_function(*specs)
        return self._functions[shapes]

    def _call(self, *tensors: tf.Tensor) -> list[Any]:
        scope = lowered(self.source.model, Tracer(_NO_TARGET), _RULES) if self._float32 else contextlib.nullcontext()
        with scope:
            return self.source(tensors)


class StreamingKerasExecutor(KerasExecutor):
    """A Keras model as a function of a chunk and its states, run with TensorFlow's own operators."""

    def _call(self, *tensors: tf.Tensor) -> list[Any]:
        with lowered(self.source.model, Tracer(PlainTarget()), self.source.rules):
            return self.source(tensors)


def _step_by_step(_: Tracer, layer: Any) -> Replacements:
    """`TimeDistributed` as one loop over the steps; Keras writes them out one by one, 400 of which take minutes."""

    def call(inputs: Any, training: bool = False, mask: Any = None) -> Any:
        takes_mask = mask is not None and layer.layer._call_has_mask_arg
        given = [keras.ops.swapaxes(value, 0, 1) for value in ((inputs, mask) if takes_mask else (inputs,))]

        def step(values: list[tf.Tensor]) -> tf.Tensor:
            kwargs = {"training": False} if layer.layer._call_has_training_arg else {}
            return layer.layer.call(values[0], **kwargs, **({"mask": values[1]} if takes_mask else {}))

        first = step([value[0] for value in given])
        outputs = tf.map_fn(step, given, fn_output_signature=tf.TensorSpec(first.shape, first.dtype))
        return keras.ops.swapaxes(tf.ensure_shape(outputs, [given[0].shape[0], *first.shape]), 0, 1)

    return {"call": call} if type(layer).call is keras.layers.TimeDistributed.call else {}


_RULES: Sequence[tuple[type, Rule]] = ((keras.layers.TimeDistributed, _step_by_step),)
_NO_TARGET: Any = None  # these rules do not ask the tracer for a target


@contextlib.contextmanager
def _zero_states(model: keras.Model) -> Iterator[None]:
    """All states of stateful layers are zero inside and as they were outside."""
    layers = [layer for layer in flat_layers(model) if getattr(layer, "stateful", False)]
    states = [state for layer in layers for state in keras.tree.flatten(getattr(layer, "states", None) or [])]
    before = [state.numpy() for state in states]
    for state in states:
        state.assign(keras.ops.zeros_like(state))
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


def domains(source: Source) -> dict[str, Domain]:
    """Per input what it may hold: as many tokens as the `Embedding` it feeds knows, padded by 0; other inputs are
    padded by the value a `Masking` layer masks. Hidden states are within ±1.

    Each integer input is filled with a number of its own, and the embeddings say which number they saw. An input that
    reaches its embedding changed, or none, gets the size of the smallest embedding.
    """
    layers = flat_layers(source.model)
    padding = next((float(layer.mask_value) for layer in layers if isinstance(layer, keras.layers.Masking)), 0.0)
    sizes = {id(layer): size for layer in layers if (size := _tokens(layer)) is not None}
    smallest = min(sizes.values(), default=2)
    tags = {spec.name: tag for tag, spec in enumerate(source.signature.inputs, 1) if spec.dtype.startswith("int")}
    seen = _tokens_seen(source, tags) if len(tags) > 1 and len(set(sizes.values())) > 1 else {}
    hidden = _hidden_states(layers)
    return {
        spec.name: Domain(seen.get(tags[spec.name], smallest))
        if spec.name in tags
        else Domain(padding=padding, bound=1.0 if spec.name in hidden else np.inf)
        for spec in source.signature.inputs
    }


def _hidden_states(layers: Sequence[keras.layers.Layer]) -> set[str]:
    """The names of the inputs that are the first state of a recurrent layer, h, which gates keep within ±1; or that
    attention reads: beyond ±1 its weights hang on the last bit of a product."""
    given: list[Any] = []
    for layer in layers:
        for node in layer._inbound_nodes:
            if isinstance(layer, keras.layers.RNN):
                given += keras.tree.flatten(node.arguments.kwargs.get("initial_state"))[:1]
            elif isinstance(layer, DotAttention):
                given += node.arguments.args
    made_by = [tensor._keras_history.operation for tensor in given if hasattr(tensor, "_keras_history")]
    return {layer.name for layer in made_by if isinstance(layer, keras.layers.InputLayer)}


def _tokens(layer: keras.layers.Layer) -> int | None:
    """How many different integers the layer takes."""
    if isinstance(layer, keras.layers.Embedding):
        return int(layer.input_dim)
    return int(layer.num_tokens) if isinstance(layer, keras.layers.CategoryEncoding) else None


def _tokens_seen(source: Source, tags: Mapping[str, int]) -> dict[int, int]:
    """Tag -> size of the smallest embedding that was fed this tag alone."""
    seen: dict[int, int] = {}
    inputs = [
        np.full([17 if size is None else size for size in spec.shape], tags.get(spec.name, 0), spec.dtype)
        for spec in source.signature.inputs
    ]

    def listening(layer: keras.layers.Layer) -> dict[str, Any]:
        size = _tokens(layer)

        def call(tokens: Any, *_: Any, **__: Any) -> Any:
            values = np.unique(np.asarray(tokens))
            if size is not None and len(values) == 1:
                seen[int(values[0])] = min(size, seen.get(int(values[0]), size))
            return keras.ops.zeros(layer.compute_output_shape(tuple(tokens.shape)))

        return {"call": call}

    rules = [
        (kind, lambda _, layer: listening(layer)) for kind in (keras.layers.Embedding, keras.layers.CategoryEncoding)
    ]
    with lowered(source.model, Tracer(_NO_TARGET), rules), contextlib.suppress(tf.errors.OpError, ValueError):
        source([tf.constant(array) for array in inputs])
    return seen


class SavedModelExecutor(Executor):
    """One signature of a SavedModel: "step" where it streams, else "serving_default", unless another is named.

    Raises UntrustedFile for a folder that is not a SavedModel, InvalidInput for a signature it does not have.
    """

    def __init__(self, path: Path, *, signature: str | None = None) -> None:
        self.path = path
        try:
            self._loaded = tf.saved_model.load(str(path))  # the signature does not keep its variables alive
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise UntrustedFile(
                f"{path} is not a SavedModel that TensorFlow {tf.__version__} can load: {first_line(error)} "
                "Fetch or export it again."
            ) from error
        text = path / manifest.SAVED_MODEL_FILE
        self.metadata = manifest.parse(text.read_text("utf-8"), str(path)) if text.is_file() else None
        native = "step" if self.metadata and self.metadata.streaming else "serving_default"
        name = signature or native
        if name not in self._loaded.signatures:
            names = ", ".join(map(repr, self._loaded.signatures)) or "none"
            raise InvalidInput(f"{path} has no signature {name!r}; it has {names}. Export the model again.")
        self._function = self._loaded.signatures[name]
        inputs = self._function.structured_input_signature[1]
        found = Signature(_specs(inputs), _specs(self._function.structured_outputs))
        self.signature = face.described(found, self.metadata if name == native else None, str(path))

    def run_checked(self, arrays: Arrays) -> Arrays:
        try:
            values = self._function(**{name: tf.constant(array) for name, array in arrays.items()})
        except (tf.errors.OpError, ValueError) as error:
            raise self.refuse_to_run(str(self.path), error) from error
        return {name: values[name].numpy() for name in self.signature.output_names}


def open_artifact(path: Path) -> Executor:
    """An executor for an `.onnx` or `.tflite` file, or a SavedModel folder."""
    if not (path / "saved_model.pb").is_file():
        return load(path)
    manifest.verify_beside(path)
    return SavedModelExecutor(path)


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(face.tensor(name, spec.dtype.name, _sizes(spec.shape)) for name, spec in tensors.items())


def _sizes(shape: tf.TensorShape) -> list[int | None]:
    return [] if shape.rank is None else list(shape.as_list())
