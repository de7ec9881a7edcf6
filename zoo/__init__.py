"""recurrent-zoo: recurrent models that really deploy.

    zoo.list_models("*.har")            names
    zoo.describe("gru.har")             the card
    zoo.load("gru.har")                 keras.Model, pretrained
    zoo.pipeline("gru.har", "onnx")     raw input in, labelled prediction out, on any backend
    zoo.inspect("gru.har", x)           gates and states over time

Importing this package imports neither Keras nor TensorFlow; `load` and the Keras backends do.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from export.runtime.pipelines import Pipeline
    from zoo.inspection import Inspection
    from zoo.spec import ModelSpec

__version__ = "0.1.0"
__all__ = ["describe", "inspect", "list_models", "load", "pipeline"]


def list_models(pattern: str = "*") -> list[str]:
    """The names of the pretrained models that match a shell-style pattern.

    >>> list_models("*.har")
    ['bilstm.har', 'gru.har', 'lstm.har', 'stacked_lstm.har']
    """
    from zoo import registry

    return registry.names(pattern)


def describe(name: str) -> "ModelSpec":
    """The card of a model: task, signature, scores, published numbers, data set, licence, recipe, sha256 of its files.

    >>> describe("gru.har").signature.inputs[0].describe()
    'frames float32 [batch, time, 9]'
    """
    from zoo import registry

    return registry.get(name)


def load(name: str) -> "keras.Model":
    """The pretrained Keras model, its files verified.

    >>> load("gru.har").output_shape
    (None, 6)
    """
    from zoo.errors import MissingDependency

    try:
        import keras  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"zoo.load({name!r}) makes a keras.Model: pip install 'recurrent-zoo[keras]'. "
            "Without Keras, zoo.pipeline runs the model on ONNX Runtime."
        ) from error
    from zoo.loading import load

    return load(name)


def pipeline(name: str, backend: str = "onnx") -> "Pipeline":
    """Raw input in, the answers of the model's task out, the same on every backend.

    backend: "onnx" (needs neither TensorFlow nor Keras), "keras", "tflite" or "saved_model"; the last two are
    exported on first use and kept in the cache.

    >>> import numpy as np
    >>> prediction = pipeline("gru.har")(np.zeros((128, 9), "float32"))[0]
    >>> prediction.label in describe("gru.har").labels
    True
    """
    from export.backends import open_model
    from export.runtime.pipelines import kind, pipeline

    spec = describe(name)
    return pipeline(spec, *(open_model(name, backend, part=part) for part in kind(spec).PARTS))


def inspect(
    model: "keras.Model | str", x: Any, layer: str | None = None, units: Sequence[int] | None = None
) -> "Inspection":
    """The gates and states of a recurrent layer over x [batch, time, feature], as arrays, and as a picture by `plot`.

    layer: its name; the first recurrent layer unless given.  units: indices; all unless given.

    >>> import numpy as np
    >>> inspect("gru.har", np.zeros((128, 9), "float32"))["update_gate"].shape
    (1, 128, 64)
    """
    from zoo.inspection import inspect

    return inspect(model, x, layer, units)
