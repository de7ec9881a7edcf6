"""What the features are made of: small models with random weights, and layers of a user's own."""

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from tests.export.onnx_parity import FEATURES, chain, randomised

H = 4


def sequence(time=None, features=FEATURES, name="x", **arguments):
    return keras.Input((time, features), name=name, **arguments)


def graph(build, *inputs):
    """A functional model of `build(*inputs)`; of one sequence if none is given."""
    inputs = inputs or (sequence(),)
    return randomised(keras.Model(list(inputs), build(*inputs)))


def masked(*behind, **arguments):
    """Layers in a row behind a `Masking`."""
    return chain(layers.Masking(**arguments), *behind)


def tokens(*behind):
    """Layers in a row behind an `Embedding` that masks token 0."""
    return chain(layers.Embedding(9, FEATURES, mask_zero=True), *behind, shape=(None,), dtype="int32")


def with_mask(layer):
    """A layer whose mask is an input of the model."""
    mask = keras.Input((None,), dtype="bool", name="mask")
    return graph(lambda x, mask: layer(x, mask=mask), sequence(), mask)


def joined(*branches):
    """One model of several layers on the same x, their answers [H] side by side."""
    return graph(lambda x: layers.Concatenate()([branch(x) for branch in branches]))


def around(*behind, **arguments):
    """An LSTM that hands its sequence to other layers."""
    return chain(layers.LSTM(H, return_sequences=True), *behind, **arguments)


def attending(layer):
    def build(x, y):
        x, y = layers.LSTM(H, return_sequences=True)(x), layers.GRU(H, return_sequences=True)(y)
        return layer(y, x) if isinstance(layer, layers.MultiHeadAttention) else layer([y, x])

    return graph(build, sequence(), sequence(name="y"))


def attending_to_itself():
    """Attention under the mask of padded tokens, which reaches every layer by itself."""
    words = keras.Input((None,), dtype="int32", name="words")

    def build(words):
        x = layers.LSTM(H, return_sequences=True)(layers.Embedding(9, FEATURES, mask_zero=True)(words))
        return layers.GlobalAveragePooling1D()(layers.Attention()([x, x]))

    return graph(build, words)


def one_for_all(x):
    """[B, 5, 5] and [B, 5, 1]: at batch 1 Keras takes the latter for a bias over the last axis."""
    h = layers.LSTM(5, return_sequences=True)(x)
    return layers.Add()([h, layers.Dense(1)(h)])


def with_ops(x):
    """`keras.ops` before and after a GRU."""
    h = layers.GRU(H, return_sequences=True)(ops.concatenate([x, ops.tanh(x)], axis=-1))
    weights = ops.softmax(ops.sum(h, axis=-1, keepdims=True), axis=1)
    return ops.where(h[:, -1] > 0, ops.mean(weights * h, axis=1), ops.max(h, axis=1))


def encoder_decoder(kind):
    def build(x, y):
        _, *states = kind(H, return_state=True)(x)
        return kind(H, return_sequences=True)(y, initial_state=states)

    return graph(build, sequence(), sequence(name="y"))


def in_policy(name):
    """An LSTM and a GRU built under the global policy `name`, as a training script sets it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        # (the default recurrent initializer has no 16-bit kernel)
        first = layers.LSTM(H, return_sequences=True, recurrent_initializer="glorot_uniform")
        return chain(first, layers.GRU(H, recurrent_initializer="glorot_uniform"), layers.Dense(2))
    finally:
        keras.config.set_dtype_policy(before)


def reloaded(model):
    """The model saved as a `.keras` file and read again."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        return keras.saving.load_model(Path(folder) / "model.keras")


def trained_under_xla():
    model = chain(layers.LSTM(H, return_sequences=True), layers.GRU(H))
    model.compile("sgd", "mse", jit_compile=True)
    model.fit(np.ones((2, 5, FEATURES)), np.ones((2, H)), verbose=0)
    return reloaded(model)


class Tagger(keras.Model):
    """A subclassed model of layers and `keras.ops`."""

    def __init__(self, name="tagger"):
        super().__init__(name=name)
        self.recurrent, self.head = layers.GRU(H, return_sequences=True), layers.Dense(2)

    def call(self, x):
        return self.head(ops.relu(self.recurrent(x)))


class Chooser(Tagger):
    """A subclassed model whose Python reads the numbers it computes, so that no trace can stand for it."""

    def call(self, x):
        return super().call(x) if float(ops.sum(x)) > 0 else super().call(-x)


class Reading(layers.Layer):
    """The same as a layer of a functional model."""

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        return x if float(ops.sum(x)) > 0 else -x


class Pair(keras.Model):
    """A subclassed model of two inputs, each an argument."""

    def __init__(self):
        super().__init__(name="pair")
        self.first, self.second = layers.LSTM(H), layers.LSTM(H)

    def call(self, x, y):
        return self.first(x) + self.second(y)


def two_arguments():
    model = Pair()
    model(np.zeros((2, 5, FEATURES)), np.zeros((2, 4, FEATURES)))
    return model


def called(model):
    model(np.zeros((2, 5, FEATURES), "float32"))
    return randomised(model)


@keras.saving.register_keras_serializable("conformance")
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


class DoublingLSTM(layers.LSTM):
    """A subclass with a `call` of its own around its base class's."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(2 * sequences, initial_state, mask, training)


def shared():
    """One LSTM on two inputs."""
    lstm = layers.LSTM(H)
    return graph(lambda x, y: layers.Concatenate()([lstm(x), lstm(y)]), sequence(), sequence(name="y"))


def nested():
    """A functional model and a Sequential one inside a third."""
    inner = chain(layers.LSTM(H, return_sequences=True), layers.Dense(FEATURES))
    outer = keras.Sequential([inner, layers.GRU(H)])
    return graph(lambda x: outer(x))


def by_name():
    """Inputs and outputs in dictionaries."""
    x, facts = sequence(), keras.Input((2,), name="facts")
    h = layers.LSTM(H, name="memory")(x)
    outputs = {"joined": layers.Concatenate(name="joined")([h, facts]), "memory": h}
    return randomised(keras.Model({"x": x, "facts": facts}, outputs))


def lookup():
    """Numbers looked up in a table before their embedding."""
    numbers = keras.Input((None,), dtype="int64", name="numbers")
    x = layers.Embedding(9, FEATURES)(layers.IntegerLookup(vocabulary=[3, 5, 7])(numbers))
    return randomised(keras.Model(numbers, layers.LSTM(H)(x)))


def of_strings():
    text, x = keras.Input((1,), dtype="string", name="text"), sequence()
    return keras.Model([text, x], [layers.LSTM(H)(x), text], name="reader")


def lambda_file():
    """A `.keras` file with Python code inside."""
    path = Path(tempfile.mkdtemp()) / "model.keras"
    chain(layers.Lambda(lambda x: 2 * x, name="twice"), layers.LSTM(H)).save(path)
    return path
