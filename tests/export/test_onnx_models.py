"""Whole models as ONNX files: what stands around the recurrence, and the ways a model is made."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.export.onnx_parity import (
    FEATURES,
    TOLERANCE,
    batches,
    chain,
    padded,
    randomised,
    recurrent_operators,
    worst_difference,
)


def attention(x):
    y = layers.LSTM(4, return_sequences=True)(x)
    return layers.Attention()([y, y])


def multi_head(x):
    y = layers.GRU(4, return_sequences=True)(x)
    return layers.MultiHeadAttention(2, 3)(y, y)


def normalised(x):
    y = layers.BatchNormalization()(x)
    y = layers.LayerNormalization()(layers.LSTM(4, return_sequences=True)(y))
    return layers.GlobalAveragePooling1D()(y), layers.GlobalMaxPooling1D()(y)


def convolved(x):
    y = layers.Conv1D(4, 3, padding="causal", activation="gelu")(x)
    y = layers.Conv1D(4, 2, padding="same", strides=2)(y)
    return layers.GRU(3)(layers.AveragePooling1D(1)(y))


def arithmetic(x):
    y = layers.LSTM(4, return_sequences=True)(x)
    y = keras.ops.where(y > 0, keras.ops.exp(y), keras.ops.square(y)) - keras.ops.mean(y, axis=1, keepdims=True)
    y = keras.ops.concatenate([y, keras.ops.flip(y, axis=1)], axis=-1)
    return keras.ops.max(y, axis=1), keras.ops.cumsum(y, axis=1)[:, -1], keras.ops.transpose(y, (0, 2, 1))


def repeated(x):
    return layers.LSTM(3, return_sequences=True)(layers.RepeatVector(4)(layers.LSTM(4)(x)))


def per_step(x):
    y = layers.LSTM(4, return_sequences=True, use_bias=False)(x)
    return layers.TimeDistributed(layers.Dense(3, activation="relu"))(y)


def residual(x):
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    z = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y)
    return layers.Dense(2)(layers.Add()([y, z]))


AROUND = {
    "attention": (attention, {"LSTM": 1}),
    "multi-head attention": (multi_head, {"GRU": 1}),
    "normalisation and pooling": (normalised, {"LSTM": 1}),
    "convolution": (convolved, {"GRU": 1}),
    "keras.ops": (arithmetic, {"LSTM": 1}),
    "repeat vector": (repeated, {"LSTM": 2}),
    "time distributed dense": (per_step, {"LSTM": 1}),
    "residual": (residual, {"LSTM": 2}),
}


@pytest.mark.parametrize(("build", "expected"), AROUND.values(), ids=AROUND)
def test_layers_around_the_recurrence_equal_keras(build, expected, tmp_path):
    x = keras.Input((None, FEATURES))
    model = randomised(keras.Model(x, build(x)))
    assert worst_difference(model, tmp_path, batches(sizes=[(1, 3), (2, 7)])) < TOLERANCE
    assert recurrent_operators(tmp_path) == expected


def test_recurrence_inside_time_distributed(tmp_path):
    model = chain(layers.TimeDistributed(layers.LSTM(4)), layers.GRU(3), shape=(None, 5, FEATURES))
    assert worst_difference(model, tmp_path, batches((None, 5, FEATURES))) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 1, "GRU": 1}


def test_image_columns_read_by_two_bidirectional_layers(tmp_path):
    model = chain(
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D((2, 1)),
        layers.Permute((2, 1, 3)),
        layers.Reshape((-1, 16)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.Dense(5, activation="softmax"),
        shape=(8, None, 1),
    )
    feeds = [next(batches((8, width, 1), sizes=[(2, 0)])) for width in (4, 9)]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 2}


def test_nested_model_and_shared_layer(tmp_path):
    shared = layers.LSTM(4, return_sequences=True, name="shared")
    inner_input = keras.Input((None, 4))
    inner = keras.Model(inner_input, layers.GRU(3)(shared(layers.Dense(FEATURES)(inner_input))), name="inner")
    a, b = keras.Input((None, FEATURES), name="a"), keras.Input((None, FEATURES), name="b")
    model = randomised(keras.Model({"a": a, "b": b}, {"sum": inner(shared(a)) + inner(shared(b)), "left": shared(a)}))
    feeds = [list(both) for both in zip(batches(), batches(seed=2), strict=True)]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 4, "GRU": 2}


def test_sequential_model(tmp_path):
    model = randomised(keras.Sequential([keras.Input((None, FEATURES)), layers.GRU(4), layers.Dense(2)]))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"GRU": 1}


class Tagger(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
        self.head = layers.Dense(2)

    def call(self, x, training=False):
        return self.head(self.encoder(x))


def test_subclassed_model(tmp_path):
    model = Tagger()
    model(np.zeros((1, 5, FEATURES), "float32"))
    randomised(model)
    assert worst_difference(model, tmp_path, batches(sizes=[(1, 5)])) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 1}


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16"])
def test_half_precision_policy_becomes_a_float32_file_with_the_same_weights(policy, tmp_path):
    def build(policy):
        plain = {"dtype": policy, "recurrent_initializer": "zeros"}  # the default one has no bfloat16
        x = keras.Input((None, FEATURES))
        y = layers.Masking(dtype=policy)(x)
        y = layers.Bidirectional(layers.LSTM(4, return_sequences=True, **plain), dtype=policy)(y)
        return keras.Model(x, layers.Dense(2, dtype=policy)(layers.GRU(3, **plain)(y)))

    model, exact = randomised(build(policy)), build("float32")
    exact.set_weights([np.asarray(keras.ops.cast(weight.value, "float32")) for weight in model.weights])
    feeds = [padded(x) for x in batches()]
    assert worst_difference(model, tmp_path, feeds, reference=exact) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 1, "GRU": 1}


def test_fixed_batch_and_time_stay_fixed(tmp_path):
    x = keras.Input(batch_shape=(2, 4, FEATURES))
    model = randomised(keras.Model(x, layers.GRU(3, return_sequences=True)(x)))
    assert worst_difference(model, tmp_path, batches(sizes=[(2, 4)])) < TOLERANCE


def test_stateful_layer_starts_every_call_from_zeros(tmp_path):
    x = keras.Input(batch_shape=(2, None, FEATURES))
    model = randomised(keras.Model(x, layers.LSTM(3, stateful=True)(x)))
    plain = randomised(chain(layers.LSTM(3)))
    plain.set_weights(model.get_weights())
    assert worst_difference(model, tmp_path, batches(sizes=[(2, 4)]), reference=plain) < TOLERANCE
