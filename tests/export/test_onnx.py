"""Recurrent layers as ONNX files: the numbers are Keras', the nodes native, one a layer or a pair of directions."""

import keras
import numpy as np
import pytest
from keras import layers

import export
from export.lowering import source as sources
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
from zoo.layers import GRU, LSTM

KINDS = {
    "lstm": (layers.LSTM, {}, "LSTM"),
    "our lstm": (LSTM, {}, "LSTM"),
    "gru": (layers.GRU, {}, "GRU"),
    "our gru": (GRU, {}, "GRU"),
    "gru reset before": (layers.GRU, {"reset_after": False}, "GRU"),
    "simple rnn": (layers.SimpleRNN, {}, "RNN"),
}
OPTIONS = (
    {},
    {"return_sequences": True},
    {"return_sequences": True, "return_state": True},
    {"go_backwards": True},
    {"go_backwards": True, "return_sequences": True, "return_state": True},
    {"use_bias": False},
)
MASKS = {
    "right": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]],
    "left": [[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]],
    "empty row": [[0, 0, 0, 0, 0], [1, 1, 1, 1, 0]],
    "none": [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
}


@pytest.mark.parametrize(("layer", "more", "operator"), KINDS.values(), ids=KINDS)
def test_layer_is_one_native_node_and_equals_keras_under_every_option(layer, more, operator, tmp_path):
    x = keras.Input((None, FEATURES))
    model = randomised(keras.Model(x, [layer(4, **more, **options)(x) for options in OPTIONS]))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == {operator: len(OPTIONS)}


def masked_model(layer):
    x, mask = keras.Input((None, FEATURES), name="x"), keras.Input((None,), dtype="bool", name="mask")
    return randomised(keras.Model([x, mask], layer(x, mask=mask)))


def masked_feeds():
    x = next(batches(sizes=[(2, 5)]))
    return [[x, np.array(mask, bool)] for mask in MASKS.values()]


MASKED = {
    "lstm": lambda: layers.LSTM(4),
    "lstm sequences and states": lambda: layers.LSTM(4, return_sequences=True, return_state=True),
    "gru backwards": lambda: layers.GRU(4, go_backwards=True, return_sequences=True, return_state=True),
    "simple rnn": lambda: layers.SimpleRNN(4, return_sequences=True),
    "rnn with zeros for masked": lambda: layers.RNN(
        layers.GRUCell(4), return_sequences=True, zero_output_for_mask=True
    ),
    "stacked cells": lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_sequences=True),
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
    "bidirectional last": lambda: layers.Bidirectional(layers.GRU(4)),
    "bidirectional unmerged": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode=None),
}


@pytest.mark.parametrize("make", MASKED.values(), ids=MASKED)
def test_any_mask_is_exact_without_a_loop(make, tmp_path):
    assert worst_difference(masked_model(make()), tmp_path, masked_feeds()) < TOLERANCE
    assert "Loop" not in recurrent_operators(tmp_path)
    assert sum(recurrent_operators(tmp_path).values()) in (1, 2)


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_rows_without_a_valid_step_end_in_the_initial_state(layer, tmp_path):
    x, mask = keras.Input((None, FEATURES), name="x"), keras.Input((None,), dtype="bool", name="mask")
    states = [keras.Input((4,), name=name) for name in ("h", "c")[: 2 if layer is layers.LSTM else 1]]
    outputs = layer(4, return_sequences=True, return_state=True)(x, mask=mask, initial_state=states)
    model = randomised(keras.Model([x, mask, *states], outputs))
    given = list(batches(shape=(4,), sizes=[(2, 0)] * len(states)))
    feeds = [[*feed, *given] for feed in masked_feeds()]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert sum(recurrent_operators(tmp_path).values()) == 1


@pytest.mark.parametrize("shape", [(None, FEATURES), (6, FEATURES)], ids=["time free", "time fixed"])
def test_masking_layer_reaches_every_recurrence_behind_it(shape, tmp_path):
    model = chain(
        layers.Masking(),
        layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.Dropout(0.5),
        layers.LSTM(4, return_sequences=True),
        layers.LSTM(2),
        shape=shape,
    )
    sizes = [(2, 6), (3, 6)] if shape[0] else [(1, 1), (2, 7)]
    assert worst_difference(model, tmp_path, [padded(x) for x in batches(sizes=sizes)]) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"GRU": 1, "LSTM": 2}


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_embedding_masks_token_zero(dtype, tmp_path):
    model = chain(
        layers.Embedding(11, 5, mask_zero=True),
        layers.Bidirectional(layers.LSTM(4)),
        layers.Dense(2),
        shape=(None,),
        dtype=dtype,
    )
    tokens = np.array([[3, 1, 4, 0, 0], [0, 5, 0, 9, 2], [0, 0, 0, 0, 0]], dtype)
    assert worst_difference(model, tmp_path, [tokens, tokens[:1, :1]]) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 1}


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [True, False], ids=["sequences", "last"])
def test_bidirectional_is_one_node_in_every_merge_mode(merge_mode, sequences, tmp_path):
    model = chain(layers.Bidirectional(layers.LSTM(4, return_sequences=sequences), merge_mode=merge_mode))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 1}


BACKWARD = {
    "other activation": (lambda: layers.LSTM(4, activation="relu", go_backwards=True), {"LSTM": 1}),
    "other size": (lambda: layers.LSTM(5, go_backwards=True), {"LSTM": 2}),
    "other kind": (lambda: layers.GRU(4, go_backwards=True), {"LSTM": 1, "GRU": 1}),
}


@pytest.mark.parametrize(("backward", "expected"), BACKWARD.values(), ids=BACKWARD)
def test_sides_share_a_node_only_where_kind_and_size_agree(backward, expected, tmp_path):
    x = keras.Input((None, FEATURES))
    sides = layers.Bidirectional(layers.LSTM(4), merge_mode=None, backward_layer=backward())(x)
    model = randomised(keras.Model(x, [keras.ops.sum(side, axis=-1) for side in sides]))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == expected


def test_sides_of_different_widths_may_be_the_answer(tmp_path):
    backward = layers.GRU(5, return_sequences=True, go_backwards=True)
    model = chain(layers.Bidirectional(layers.LSTM(3, return_sequences=True), backward_layer=backward))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert sources.read(model).signature.outputs[0].shape == (None, None, 8)
    artifact = export.to_onnx(model, tmp_path / "checked.onnx")
    assert artifact.ok


def test_bidirectional_hands_its_states_to_another(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = keras.Input((None, 2), name="y")
    _, *states = layers.Bidirectional(layers.LSTM(4, return_state=True))(x)
    decoded = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y, initial_state=states)
    model = randomised(keras.Model([x, y], decoded))
    feeds = [
        list(both) for both in zip(batches(), batches(shape=(None, 2), sizes=[(1, 3), (2, 1), (7, 5)]), strict=True)
    ]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 2}


def test_encoder_hands_its_states_to_the_decoder(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    y = keras.Input((None, 2), name="y")
    _, *states = layers.LSTM(4, return_state=True)(x)
    decoded = layers.LSTM(4, return_sequences=True)(y, initial_state=states)
    model = randomised(keras.Model([x, y], layers.Dense(2, activation="softmax")(decoded)))
    feeds = [
        list(both) for both in zip(batches(), batches(shape=(None, 2), sizes=[(1, 3), (2, 1), (7, 5)]), strict=True)
    ]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 2}


CELLS = {
    "lstm cell": (lambda: layers.RNN(layers.LSTMCell(4), return_sequences=True), {"LSTM": 1}),
    "gru cell backwards": (lambda: layers.RNN(layers.GRUCell(4), go_backwards=True), {"GRU": 1}),
    "two cells": (lambda: layers.RNN([layers.LSTMCell(4), layers.LSTMCell(2)], return_state=True), {"LSTM": 2}),
    "stacked cells": (
        lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(4), layers.SimpleRNNCell(2)])),
        {"GRU": 1, "RNN": 1},
    ),
}


@pytest.mark.parametrize(("make", "expected"), CELLS.values(), ids=CELLS)
def test_cells_become_native_nodes(make, expected, tmp_path):
    assert worst_difference(chain(make()), tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == expected


NATIVE = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "leaky_relu")


@pytest.mark.parametrize("activation", NATIVE)
def test_activation_is_an_attribute_of_every_operator(activation, tmp_path):
    """Both roles and all operators in one model; inputs large enough to reach every branch of the function."""
    x = keras.Input((None, FEATURES))
    outputs = [
        layer(3, **arguments, **more)(x)
        for arguments in ({"activation": activation}, {"recurrent_activation": activation})
        for layer, more in ((layers.LSTM, {}), (layers.GRU, {}), (layers.GRU, {"reset_after": False}))
    ]
    outputs.append(layers.SimpleRNN(3, activation=activation)(x))
    outputs.append(layers.Bidirectional(layers.LSTM(3, activation=activation))(x))
    model = randomised(keras.Model(x, outputs))
    feeds = [3 * x for x in batches(sizes=[(1, 1), (5, 4)])]
    assert worst_difference(model, tmp_path, feeds) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"LSTM": 3, "GRU": 4, "RNN": 1}


@pytest.mark.parametrize("activation", ["gelu", "silu", "selu", "hard_tanh", "softplus"])
def test_other_activations_run_as_a_loop_and_equal_keras(activation, tmp_path):
    model = chain(layers.LSTM(3, activation=activation, return_sequences=True))
    assert worst_difference(model, tmp_path, batches()) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"Loop": 1}


@keras.saving.register_keras_serializable("test_onnx")
class Leaky(layers.Layer):
    """A cell of the user's own: h' = 0.9 h + tanh(x W)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x, states, training=False):
        h = 0.9 * states[0] + keras.ops.tanh(x @ self.kernel)
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


LOOPS = {
    "own cell": lambda: layers.RNN(Leaky(4), return_sequences=True, return_state=True),
    "own cell backwards": lambda: layers.RNN(Leaky(4), return_sequences=True, go_backwards=True),
    "own cell both ways": lambda: layers.Bidirectional(layers.RNN(Leaky(4), return_sequences=True)),
    "own cell on an lstm cell": lambda: layers.RNN([layers.LSTMCell(3), Leaky(4)], return_sequences=True),
    "own cell with zeros for masked": lambda: layers.RNN(Leaky(4), return_sequences=True, zero_output_for_mask=True),
}


@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
def test_own_cells_run_as_a_loop_and_equal_keras_under_any_mask(make, tmp_path):
    assert worst_difference(masked_model(make()), tmp_path, masked_feeds()) < TOLERANCE
    assert set(recurrent_operators(tmp_path)) == {"Loop"}


@pytest.mark.parametrize("sequences", [True, False], ids=["sequences", "last"])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [(layers.ConvLSTM1D, (None, 5, 2)), (layers.ConvLSTM2D, (None, 5, 4, 2))],
    ids=["ConvLSTM1D", "ConvLSTM2D"],
)
def test_convolutional_lstm_equals_keras(layer, shape, sequences, tmp_path):
    model = chain(layer(3, 3, padding="same", return_sequences=sequences, go_backwards=not sequences), shape=shape)
    assert worst_difference(model, tmp_path, batches(shape)) < TOLERANCE
    assert recurrent_operators(tmp_path) == {"Loop": 1}
