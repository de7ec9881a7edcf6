"""Models that stream, and random input and chunks for them."""

import keras
import numpy as np
from keras import layers, ops

from zoo.layers import GRU, LSTM

B, D, H = 2, 3, 4


def model_of(*stack, shape=(None, D), dtype="float32", name="model"):
    inputs = keras.Input(shape, name="frames", dtype=dtype)
    value = inputs
    for layer in stack:
        value = layer(value)
    return shaken(keras.Model(inputs, value, name=name))


def shaken(model, seed=1):
    """Every weight away from its initial value, biases and moving statistics included."""
    rng = np.random.default_rng(seed)
    model.set_weights([0.4 * rng.standard_normal(w.shape) + (w.path.endswith("variance")) for w in model.weights])
    return model


def frames(steps, seed=0, batch=B, features=D):
    return np.random.default_rng(seed).standard_normal((batch, steps, features)).astype("float32")


def tokens(steps, seed=0, batch=B):
    return np.random.default_rng(seed).integers(0, 5, (batch, steps)).astype("int32")


def random_lengths(steps, seed, longest=9):
    rng = np.random.default_rng(seed)
    lengths = []
    while sum(lengths) < steps:
        lengths.append(min(int(rng.integers(1, longest + 1)), steps - sum(lengths)))
    return lengths


@keras.saving.register_keras_serializable(package="tests")
class Leaky(layers.Layer):
    """A custom cell of one state, whose output is not its state."""

    state_size, output_size = H, D

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], H), name="kernel")
        self.readout = self.add_weight(shape=(H, D), name="readout")

    def call(self, inputs, states):
        h = 0.9 * states[0] + ops.matmul(inputs, self.kernel)
        return ops.matmul(h, self.readout), [h]


MODELS = {
    "lstm": lambda: [LSTM(H, return_sequences=True)],
    "keras lstm": lambda: [layers.LSTM(H, return_sequences=True)],
    "gru": lambda: [GRU(H, return_sequences=True)],
    "gru, reset before": lambda: [GRU(H, return_sequences=True, reset_after=False)],
    "simple rnn": lambda: [layers.SimpleRNN(H, return_sequences=True)],
    "the answer so far": lambda: [LSTM(H), layers.Dense(2, "softmax")],
    "two layers": lambda: [LSTM(H, return_sequences=True), GRU(H), layers.Dense(2)],
    "stacked cells": lambda: [layers.RNN([layers.LSTMCell(H), layers.GRUCell(D)], return_sequences=True)],
    "a custom cell": lambda: [layers.RNN(Leaky(), return_sequences=True)],
    "an unknown activation": lambda: [layers.LSTM(H, activation=ops.sin, return_sequences=True)],
    "everything step by step": lambda: [
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3]),
        layers.Dense(6, "relu"), layers.LayerNormalization(), layers.BatchNormalization(), layers.Dropout(0.5),
        layers.TimeDistributed(layers.Dense(4)), layers.Softmax(),
        LSTM(H, return_sequences=True), layers.Activation("gelu"),
        layers.PReLU(shared_axes=[1]), layers.UnitNormalization(), layers.GaussianNoise(0.3),
    ],
    "causal": lambda: [layers.Conv1D(H, 3, padding="causal")],
    "causal, dilated": lambda: [layers.Conv1D(H, 4, padding="causal", dilation_rate=3, activation="relu"), GRU(H)],
    "causal, kernel 1": lambda: [layers.Conv1D(H, 1), layers.Conv1D(H, 1, padding="causal"), LSTM(H)],
    "causal, strides": lambda: [layers.Conv1D(H, 3, padding="causal", strides=2)],
    "causal, strides beyond the kernel": lambda: [layers.Conv1D(H, 2, padding="causal", strides=5)],
    "kernel 1, strides": lambda: [layers.Conv1D(H, 1, strides=3)],
    "max pooling": lambda: [layers.MaxPooling1D(3)],
    "average pooling": lambda: [layers.AveragePooling1D(2)],
    "overlapping pooling": lambda: [layers.MaxPooling1D(4, strides=2)],
    "pooling with gaps": lambda: [layers.AveragePooling1D(2, strides=5)],
    "strides before recurrence": lambda: [
        layers.Conv1D(H, 3, padding="causal", strides=2), layers.MaxPooling1D(2), layers.Dense(5),
        LSTM(H, return_sequences=True), GRU(H), layers.Dense(2),
    ],
    "upsampling": lambda: [LSTM(H, return_sequences=True), layers.UpSampling1D(2)],
    "separable, kernel 1": lambda: [layers.SeparableConv1D(H, 1), LSTM(H)],
}  # fmt: skip


MASKED = {
    "lstm": lambda: LSTM(H, return_sequences=True),
    "lstm, last": lambda: LSTM(H),
    "gru, zeros": lambda: GRU(H, return_sequences=True, zero_output_for_mask=True),
    "gru, zeros, last": lambda: GRU(H, zero_output_for_mask=True),
    "stacked": lambda: layers.RNN([layers.LSTMCell(H), layers.LSTMCell(D)], return_sequences=True),
    "custom": lambda: layers.RNN(Leaky(), return_sequences=True),
    "custom, last": lambda: layers.RNN(Leaky()),
}
