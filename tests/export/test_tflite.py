"""Recurrent models as TFLite files: the numbers are Keras', call after call, and every operator is built in."""

import logging
import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from keras import layers, ops

from export import tflite, tflite_file
from export.lowering import source as sources
from export.lowering.tflite import TFLiteTarget
from export.runtime import tflite_metadata
from tests.export.tflite_parity import (
    FUSED,
    TOLERANCE,
    arrays,
    keras_outputs,
    model_of,
    randomised,
    run,
    worst_difference,
    written,
)
from tests.tiers import some
from zoo.errors import Unsupported
from zoo.layers import GRU, LSTM


@pytest.fixture(autouse=True)
def _fused_where_it_fits(monkeypatch):
    """The sequences here are short, as tests are: plain steps would outrun the fused operator everywhere. When they do
    is tested in `test_tflite_forms.py`."""
    monkeypatch.setattr(TFLiteTarget, "outruns", lambda *_: False)


def _encoder_decoder(x):
    _, h, c = layers.LSTM(4, return_state=True)(x)
    return layers.LSTM(4, return_sequences=True)(x, initial_state=[h, c])


def _states_of_another_layer(x):
    return layers.GRU(4, return_sequences=True)(x, initial_state=layers.Dense(4)(x[:, 0]))


def _attention(x):
    h = layers.LSTM(4, return_sequences=True)(x)
    return layers.Attention()([h, h])


def _keras_ops(x):
    return ops.tanh(layers.LSTM(4, return_sequences=True)(x * 2.0)) + ops.mean(x, axis=-1, keepdims=True)


SEQUENCES = {"return_sequences": True}
# name: (layers of a model over x, how many of its recurrences are fused)
MODELS = {
    "lstm": (layers.LSTM(4), 1),
    "our lstm backwards": (LSTM(4, go_backwards=True, **SEQUENCES), 1),
    "lstm without bias": (layers.LSTM(4, use_bias=False, **SEQUENCES), 1),
    "lstm of relu": (layers.LSTM(4, activation="relu", **SEQUENCES), 0),
    "lstm of hard_sigmoid": (layers.LSTM(4, recurrent_activation="hard_sigmoid"), 0),
    "lstm with states": (layers.LSTM(4, return_state=True, **SEQUENCES), 0),
    "lstm of cells": (layers.RNN([layers.LSTMCell(3), layers.LSTMCell(4)], **SEQUENCES), 2),
    "gru": (layers.GRU(4), 0),
    "our gru backwards": (GRU(4, go_backwards=True, **SEQUENCES), 0),
    "gru reset before": (layers.GRU(4, reset_after=False, **SEQUENCES), 0),
    "gru without bias": (layers.GRU(4, use_bias=False, return_state=True), 0),
    "gru of softsign and elu": (layers.GRU(4, activation="softsign", recurrent_activation="elu"), 0),
    "gru of softplus": (layers.GRU(4, activation="softplus", recurrent_activation="sigmoid"), 0),
    "simple rnn": (layers.SimpleRNN(4, **SEQUENCES), 0),
    "simple rnn of leaky_relu": (layers.SimpleRNN(4, activation="leaky_relu"), 0),
    "bidirectional lstm": (layers.Bidirectional(LSTM(4, **SEQUENCES)), 2),
    "bidirectional sum": (layers.Bidirectional(layers.LSTM(4), merge_mode="sum"), 2),
    "bidirectional ave": (layers.Bidirectional(layers.GRU(4, **SEQUENCES), merge_mode="ave"), 0),
    "bidirectional mul": (layers.Bidirectional(layers.SimpleRNN(4), merge_mode="mul"), 0),
    "bidirectional none": (layers.Bidirectional(layers.LSTM(4, **SEQUENCES), merge_mode=None), 2),
    "two different sides": (
        layers.Bidirectional(layers.LSTM(4, **SEQUENCES), backward_layer=layers.GRU(3, go_backwards=True, **SEQUENCES)),
        1,
    ),
    "encoder and decoder": (_encoder_decoder, 0),
    "states of another layer": (_states_of_another_layer, 0),
    "time distributed": (lambda x: layers.TimeDistributed(layers.Dense(2))(layers.LSTM(4, **SEQUENCES)(x)), 1),
    "attention": (_attention, 1),
    "multi-head attention": (lambda x: layers.MultiHeadAttention(2, 3)(*[layers.LSTM(4, **SEQUENCES)(x)] * 2), 1),
    "causal convolution, norm, pooling": (
        lambda x: layers.GlobalMaxPooling1D()(
            layers.LSTM(4, **SEQUENCES)(layers.LayerNormalization()(layers.Conv1D(5, 3, padding="causal")(x)))
        ),
        1,
    ),
    "batch norm and strides": (
        lambda x: layers.LSTM(4)(layers.AveragePooling1D(2)(layers.BatchNormalization()(x))),
        1,
    ),
    "keras ops": (_keras_ops, 1),
    "mixed precision": (layers.LSTM(4, dtype="mixed_float16", **SEQUENCES), 1),
}


DYNAMIC = (  # what the conformance matrix does not export with a free time axis already
    *("our lstm backwards", "lstm with states", "our gru backwards", "gru without bias", "bidirectional none"),
    *("two different sides", "states of another layer", "batch norm and strides", "keras ops"),
)


@pytest.mark.parametrize(
    ("name", "time"),
    some([*((name, 6) for name in MODELS), *((name, None) for name in DYNAMIC)]),
    ids=lambda value: {6: "static time", None: "dynamic time"}.get(value, value),
)
def test_the_file_computes_what_keras_computes_twice_in_a_row(name, time, tmp_path):
    build, fused = MODELS[name]
    model = model_of(_fresh(build), time)
    difference, operators = worst_difference(model, tmp_path, arrays())
    assert difference < (2e-3 if name == "mixed precision" else TOLERANCE)  # Keras itself computes in float16 there
    assert operators.get(FUSED, 0) == fused


def _fresh(build):
    """A layer object belongs to one model: the same configuration anew."""
    return type(build).from_config(build.get_config()) if isinstance(build, layers.Layer) else build


MASKED = {
    "lstm": lambda x, mask: layers.LSTM(4, **SEQUENCES)(x, mask=mask),
    "lstm backwards": lambda x, mask: layers.LSTM(4, go_backwards=True)(x, mask=mask),
    "bidirectional lstm": lambda x, mask: layers.Bidirectional(layers.LSTM(4, **SEQUENCES))(x, mask=mask),
    "gru": lambda x, mask: layers.GRU(4, return_state=True, **SEQUENCES)(x, mask=mask),
    "lstm with states": lambda x, mask: layers.LSTM(4, return_state=True)(x, mask=mask),
    "bidirectional gru": lambda x, mask: layers.Bidirectional(layers.GRU(4))(x, mask=mask),
}
MASKS = {
    "all": [1, 1, 1, 1, 1, 1],
    "right-padded": [1, 1, 1, 1, 0, 0],
    "left-padded": [0, 0, 1, 1, 1, 1],
    "with holes": [0, 1, 0, 1, 1, 0],
    "empty": [0, 0, 0, 0, 0, 0],
}


@pytest.mark.parametrize("time", [6, None], ids=["static time", "dynamic time"])
@pytest.mark.parametrize("name", MASKED)
def test_every_mask_pattern_gives_keras_numbers_from_one_file(name, time, tmp_path):
    model = model_of(MASKED[name], time, masked=True)
    path, source, report = written(model, tmp_path)
    assert report.operators.get(FUSED, 0) == {"lstm": 1, "lstm backwards": 1, "bidirectional lstm": 2}.get(name, 0)
    for pattern in MASKS.values():
        feeds = arrays() | {"mask": np.array([pattern], bool)}
        want = keras_outputs(model, source, feeds)
        for got in run(path, feeds):
            for output, value in want.items():
                np.testing.assert_allclose(got[output], value, atol=TOLERANCE)


@pytest.mark.parametrize("time", [5, None], ids=["static time", "dynamic time"])
def test_padding_of_an_embedding_is_masked(time, tmp_path):
    tokens = keras.Input((time,), dtype="int32", name="tokens")
    embedded = layers.Embedding(9, 3, mask_zero=True)(tokens)
    model = randomised(keras.Model(tokens, layers.Bidirectional(layers.LSTM(4))(embedded)))
    for row in ([3, 8, 1, 0, 0], [0, 0, 5, 5, 2], [0, 0, 0, 0, 0]):
        difference, operators = worst_difference(model, tmp_path, {"tokens": np.array([row], "int32")})
        assert difference < TOLERANCE and operators[FUSED] == 2


def test_steps_that_a_masking_layer_finds_are_skipped(tmp_path):
    model = model_of(lambda x: layers.LSTM(4)(layers.Masking(mask_value=-1.0)(x)))
    feeds = arrays()
    feeds["x"][:, 3:] = -1.0
    difference, operators = worst_difference(model, tmp_path, feeds)
    assert difference < TOLERANCE and operators[FUSED] == 1


@pytest.mark.parametrize(
    ("name", "build", "shape"),
    [
        ("conv lstm", lambda x: layers.ConvLSTM1D(2, 3, **SEQUENCES)(x), (4, 5, 2)),
        ("conv lstm of dynamic time", lambda x: layers.ConvLSTM1D(2, 3, **SEQUENCES)(x), (None, 5, 2)),
        ("lstm in time distributed of dynamic time", lambda x: layers.TimeDistributed(layers.LSTM(3))(x), (None, 4, 2)),
        ("repeat vector", lambda x: layers.LSTM(3, **SEQUENCES)(layers.RepeatVector(4)(layers.LSTM(3)(x))), (4, 2)),
        ("lstm in time distributed", lambda x: layers.TimeDistributed(layers.LSTM(3))(x), (3, 4, 2)),
        ("long enough for a loop", lambda x: layers.GRU(3, **SEQUENCES)(x), (40, 2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_of_other_shapes_agree_with_keras(name, build, shape, tmp_path):
    x = keras.Input(shape, name="x")
    model = randomised(keras.Model(x, build(x)))
    feeds = {"x": np.random.default_rng(2).standard_normal((1, *(size or 4 for size in shape))).astype("float32")}
    assert worst_difference(model, tmp_path, feeds)[0] < TOLERANCE


@pytest.mark.parametrize("steps", [1, 2, 17, 90])
def test_a_file_of_dynamic_time_takes_any_length(steps, tmp_path):
    model = model_of(lambda x: layers.GRU(3)(layers.Bidirectional(layers.LSTM(3, **SEQUENCES))(x)), time=None)
    assert worst_difference(model, tmp_path, arrays(steps=steps))[0] < TOLERANCE


def test_batch_and_time_can_be_fixed_to_other_sizes(tmp_path):
    model = model_of(lambda x: layers.Bidirectional(layers.LSTM(3))(x), time=None)
    difference, operators = worst_difference(model, tmp_path, arrays(batch=4, steps=9), batch=4, time=9)
    assert difference < TOLERANCE and operators[FUSED] == 2


def test_a_shared_layer_is_fused_at_each_of_its_places(tmp_path):
    first, second = keras.Input((6, 3), name="first"), keras.Input((6, 3), name="second")
    shared = layers.LSTM(4)
    model = randomised(keras.Model([first, second], layers.Concatenate()([shared(first), shared(second)])))
    feeds = {"first": arrays(1)["x"], "second": arrays(2)["x"]}
    difference, operators = worst_difference(model, tmp_path, feeds)
    assert difference < TOLERANCE and operators[FUSED] == 2


def test_a_cell_state_beyond_ten_is_not_clipped(tmp_path):
    model = model_of(lambda x: layers.LSTM(2, **SEQUENCES)(x), time=None)
    kernel, recurrent_kernel, bias = model.weights
    kernel.assign(np.zeros((3, 8)))
    recurrent_kernel.assign(np.zeros((2, 8)))
    kernel.assign(np.repeat([[0.0, 0.0, 5.0, 0.0]] * 3, 2, axis=1))  # the candidate follows the sign of the input
    bias.assign(np.repeat([9.0, 9.0, 0.0, 9.0], 2))  # all gates open: c counts the steps up, then down again
    x = np.concatenate([np.ones((1, 30, 3)), -np.ones((1, 30, 3))], axis=1).astype("float32")
    assert worst_difference(model, tmp_path, {"x": x})[0] < TOLERANCE


def test_a_fused_file_gives_the_same_answer_again_without_any_reset(tmp_path):
    model = model_of(lambda x: layers.Bidirectional(layers.LSTM(4, **SEQUENCES))(layers.LSTM(4, **SEQUENCES)(x)))
    difference, operators = worst_difference(model, tmp_path, arrays(), reset=False)
    assert difference < TOLERANCE and operators[FUSED] == 3


def test_short_recurrences_are_unrolled_and_long_or_large_ones_loop():
    target = TFLiteTarget()
    assert target.unrolls(50, 32 * 96) and target.unrolls(6, 2**18) and target.unrolls(20)
    assert not target.unrolls(51, 1) and not target.unrolls(7, 2**18) and not target.unrolls(21)
    assert not target.unrolls(None, 1) and not target.unrolls(None)
    assert TFLiteTarget("dynamic").unrolls(24, 2**18)


def test_the_file_carries_the_manifest_under_the_projects_key(tmp_path):
    path, _, _ = written(model_of(lambda x: layers.LSTM(2)(x)), tmp_path)
    assert tflite_metadata.read(path.read_bytes(), "recurrent_zoo") == b'{"name": "test"}'


def test_all_constants_lie_on_sixteen_byte_boundaries(tmp_path):
    path, _, _ = written(model_of(lambda x: layers.LSTM(5)(x)), tmp_path)
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    starts = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]
    assert starts and {start % 16 for start in starts} == {0}


def test_two_exports_give_the_same_bytes(tmp_path):
    model = model_of(lambda x: layers.GRU(3)(layers.LSTM(3, **SEQUENCES)(x)), time=None)
    first = written(model, tmp_path)[0].read_bytes()
    assert written(model, tmp_path)[0].read_bytes() == first


def test_operators_are_counted_in_the_bodies_of_loops_too(tmp_path):
    path, _, report = written(model_of(lambda x: layers.SimpleRNN(3)(x), time=None), tmp_path)
    assert report.operators == tflite_file.operators(path.read_bytes())
    assert (report.operators["WHILE"], report.operators["TANH"], report.operators["FULLY_CONNECTED"]) == (2, 10, 10)


def test_the_model_is_as_it_was_afterwards(tmp_path):
    model = model_of(lambda x: layers.LSTM(4, dtype="mixed_float16")(x))
    before = model(arrays()["x"]).numpy()
    written(model, tmp_path)
    np.testing.assert_array_equal(model(arrays()["x"]).numpy(), before)
    assert model.layers[-1].dtype_policy.name == "mixed_float16" and "call" not in vars(model.layers[-1])


def test_an_operator_tflite_lacks_is_refused_with_its_layer(tmp_path):
    class Score(layers.Layer):
        def call(self, x):
            return ops.erf(x)

    model = model_of(lambda x: Score(name="score")(layers.LSTM(4)(x)))
    with pytest.raises(Unsupported) as caught:
        written(model, tmp_path)
    assert str(caught.value) == (
        "TFLite has no built-in operator for Erf, in layer 'score'. Replace what computes it by layers TFLite has, "
        "or export to 'onnx' or 'saved_model'."
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_integers_of_keras_own_quantisation_are_refused_with_what_to_do(tmp_path):
    model = model_of(lambda x: layers.Dense(3, name="head")(layers.LSTM(4)(x)))
    model.quantize("int8")
    with pytest.raises(Unsupported) as caught:
        written(model, tmp_path)
    assert str(caught.value) == (
        "Layer 'head' was quantised by Keras ('int8'), to products of integers that TFLite has no operator for. "
        "Export the model as it was before model.quantize(…), with quantize='dynamic' or 'int8', or export to 'onnx' "
        "or 'saved_model'."
    )
    assert not list(tmp_path.iterdir())


def test_conversion_says_nothing_and_leaves_logging_as_it_was(tmp_path, capfd):
    logger = tf.get_logger()
    level, error_stream = logger.level, os.fstat(2)
    logger.setLevel(logging.INFO)
    try:
        written(model_of(lambda x: layers.LSTM(2)(x)), tmp_path)
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(level)
    assert capfd.readouterr() == ("", "")
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (error_stream.st_dev, error_stream.st_ino)
    assert sys.stderr.writable()


def test_a_stateful_layer_starts_every_call_from_zeros_and_says_so(tmp_path):
    x = keras.Input(batch_shape=(1, 6, 3), name="x")
    model = randomised(keras.Model(x, layers.LSTM(4, stateful=True, name="memory")(x)))
    source, path = sources.read(model), tmp_path / "model.tflite"
    report = tflite.write(source, path, "{}")
    want = model(arrays()["x"]).numpy()
    for got in run(path, arrays()):
        np.testing.assert_allclose(next(iter(got.values())), want, atol=TOLERANCE)
    assert report.notes == [
        "Layer 'memory' is stateful: the file starts every call from zero states. "
        "Export with streaming=True to carry them from call to call."
    ]


def test_neighbours_under_one_mask_move_the_valid_steps_once(tmp_path):
    def masked(*behind):
        def build(x, mask):
            for layer in behind:
                x = layer(x, mask=mask)
            return x

        return written(model_of(build, time=None, masked=True), tmp_path)[2].operators

    sides = [layers.Bidirectional(layers.LSTM(3, return_sequences=True)) for _ in range(2)]
    once = masked(layers.LSTM(3, return_sequences=True))
    assert masked(*(layers.LSTM(3, return_sequences=True) for _ in range(3)))["TOPK_V2"] == once["TOPK_V2"] == 1
    assert masked(*sides)["TOPK_V2"] == 1
