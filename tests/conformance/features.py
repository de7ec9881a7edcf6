"""The rows of the coverage table: what each feature is, as the smallest model that has it, and what becomes of it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tests.conformance.matrix import Feature, File, Refused, fused, loops, onnx
from tests.export.onnx_parity import FEATURES, chain, randomised
from zoo.layers import GRU, LSTM

H = 4
ROOT = Path(__file__).parents[2]
LAYERS = "recurrent layers"
SIDES = "Bidirectional"
CELLS = "RNN of cells"
MASKS = "masks"
OPTIONS = "options and states"
ACTIVATIONS = "activations"
AROUND = "other layers around them"
POLICIES = "dtype policies"
SHAPES = "shapes"
ORIGINS = "where the model comes from"
STRUCTURES = "model structures"
ROWS = (LAYERS, SIDES, CELLS, MASKS, OPTIONS, ACTIVATIONS, AROUND, POLICIES, SHAPES, ORIGINS, STRUCTURES)


def sequence(time=None, features=FEATURES, name="x", **arguments):
    return keras.Input((time, features), name=name, **arguments)


def graph(build, *inputs):
    """A functional model of `build(*inputs)`, weights randomised."""
    inputs = inputs or (sequence(),)
    return randomised(keras.Model(list(inputs), build(*inputs)))


def masked(*behind, time=None):
    """Layers in a row behind a `Masking`."""
    return chain(layers.Masking(), *behind, shape=(time, FEATURES))


def tokens(*behind):
    return chain(layers.Embedding(9, FEATURES, mask_zero=True), *behind, shape=(None,), dtype="int32")


def with_mask(layer):
    mask = keras.Input((None,), dtype="bool", name="mask")
    return graph(lambda x, mask: layer(x, mask=mask), sequence(), mask)


def encoder_decoder(kind):
    def build(x, y):
        _, *states = kind(H, return_state=True)(x)
        return kind(H, return_sequences=True)(y, initial_state=states)

    return graph(build, sequence(), sequence(name="y"))


def activated(kind, pairs):
    """One layer for each pair (activation, recurrent activation) on the same x, their answers joined."""

    def build(x):
        return layers.Concatenate()(
            [kind(H, activation=first, recurrent_activation=second)(x) for first, second in pairs]
        )

    return graph(build)


def in_policy(name):
    """An LSTM and a GRU under the global policy `name`, as a training script sets it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        return chain(layers.LSTM(H, return_sequences=True), layers.GRU(H), layers.Dense(2))
    finally:
        keras.config.set_dtype_policy(before)


def reloaded(model):
    """The model saved as a `.keras` file and read again."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        return keras.saving.load_model(Path(folder) / "model.keras")


def from_another_backend():
    """A `.keras` file that Keras wrote in another process on its NumPy backend."""
    script = (
        "import sys, keras; x = keras.Input((None, 3), name='x'); "
        "y = keras.layers.Bidirectional(keras.layers.LSTM(4))(x); keras.Model(x, y).save(sys.argv[1])"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        environment = os.environ | {"KERAS_BACKEND": "numpy"}
        subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=True, capture_output=True)
        return randomised(keras.saving.load_model(path))


def trained_under_xla():
    model = chain(layers.LSTM(H, return_sequences=True), layers.GRU(H))
    model.compile("sgd", "mse", jit_compile=True)
    model.fit(np.ones((2, 5, FEATURES)), np.ones((2, H)), verbose=0)
    return reloaded(model)


class Tagger(keras.Model):
    """A subclassed model of layers and `keras.ops`."""

    def __init__(self):
        super().__init__(name="tagger")
        self.recurrent, self.head = layers.GRU(H, return_sequences=True), layers.Dense(2)

    def call(self, x):
        return self.head(ops.relu(self.recurrent(x)))


class Chooser(Tagger):
    """A subclassed model whose Python reads the numbers it computes, so that no trace can stand for it."""

    def call(self, x):
        return super().call(x) if float(ops.sum(x)) > 0 else x


def called(model):
    model(np.zeros((2, 5, FEATURES), "float32"))
    return randomised(model)


@keras.saving.register_keras_serializable("tests")
class LeakyCell(layers.Layer):
    """A cell no format has an operator for: h' = 0.9 h + x W."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.built = True

    def call(self, x, states, training=False):
        h = 0.9 * states[0] + x @ self.kernel
        return h, [h]


class EchoingLSTM(layers.LSTM):
    """A subclass with a `call` of its own around its base class."""

    def call(self, sequences, **kwargs):
        return super().call(2 * sequences, **kwargs)


def shared():
    """One LSTM read twice, in both orders of its input."""
    lstm = layers.LSTM(H)
    return graph(lambda x, y: layers.Concatenate()([lstm(x), lstm(y)]), sequence(), sequence(name="y"))


def nested():
    inner = chain(layers.LSTM(H, return_sequences=True), layers.Dense(FEATURES))
    outer = keras.Sequential([inner, layers.GRU(H)], name="outer")
    return graph(lambda x: outer(x))


def by_name():
    """Inputs and outputs in dictionaries."""
    x, y = sequence(), keras.Input((2,), name="facts")
    h = layers.LSTM(H, name="memory")(x)
    outputs = {"joined": layers.Concatenate()([h, y]), "memory": h}
    return randomised(keras.Model({"x": x, "facts": y}, outputs))


def of_strings():
    return keras.Model(text := keras.Input((None,), dtype="string", name="text"), ops.shape(text)[0] * layers.Dense(1)(sequence()))


def lambda_file():
    path = Path(tempfile.mkdtemp()) / "model.keras"
    chain(layers.Lambda(lambda x: 2 * x), layers.LSTM(H)).save(path)
    return path


POLICY_TOLERANCE = 2e-2
LOOP = onnx(Loop=1)


def fallback(operators, *names):
    return File(operators, names)


FEATURES_OF_ROWS = (
    Feature(LAYERS, "`LSTM`", lambda: chain(layers.LSTM(H)), onnx(LSTM=1), fused()),
    Feature(LAYERS, "`zoo.layers.LSTM`", lambda: chain(LSTM(H)), onnx(LSTM=1), fused()),
    Feature(LAYERS, "`GRU`", lambda: chain(layers.GRU(H)), onnx(GRU=1), loops()),
    Feature(LAYERS, "`zoo.layers.GRU`", lambda: chain(GRU(H)), onnx(GRU=1), loops()),
    Feature(LAYERS, "`GRU(reset_after=False)`", lambda: chain(layers.GRU(H, reset_after=False)), onnx(GRU=1), loops()),
    Feature(LAYERS, "`SimpleRNN`", lambda: chain(layers.SimpleRNN(H)), onnx(RNN=1), loops()),
    Feature(LAYERS, "stack of `LSTM`, `GRU`, `SimpleRNN`", lambda: chain(layers.LSTM(H, return_sequences=True), layers.GRU(H, return_sequences=True), layers.SimpleRNN(H)), onnx(LSTM=1, GRU=1, RNN=1), fused(WHILE=2)),
)
