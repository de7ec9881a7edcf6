"""Streaming: chunks of any length through the transformed model are one pass of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import export
from export.executors import open_artifact
from export.lowering.plain import PlainTarget
from export.lowering.source import read
from export.lowering.streaming import streaming_source
from export.lowering.trace import Tracer, lowered
from tests.export.streaming_models import (
    MASKED,
    MODELS,
    B,
    D,
    H,
    Leaky,
    frames,
    model_of,
    random_lengths,
    shaken,
    tokens,
)
from tests.tiers import some
from zoo.errors import Unsupported
from zoo.layers import GRU, LSTM
from zoo.spec import StateSpec


class Stream:
    """The transformed model as a TensorFlow function, its states in our hands."""

    def __init__(self, model, chunk=None, batch=B):
        self.source = streaming_source(read(model), chunk)
        signature, source = self.source.signature, self.source
        specs = [tf.TensorSpec(spec.shape, spec.dtype) for spec in signature.inputs]
        with lowered(source.model, Tracer(PlainTarget()), source.rules):
            traced = tf.function(lambda *tensors: source(tensors), input_signature=specs, autograph=False)
            self.step = traced.get_concrete_function()
        self.states = [np.zeros([size or batch for size in state.shape], state.dtype) for state in signature.states]

    def push(self, *inputs):
        values = [value.numpy() for value in self.step(*map(tf.constant, (*inputs, *self.states)))]
        count = len(values) - len(self.states)
        self.states = values[count:]
        return values[:count]

    def run(self, inputs, lengths):
        """Pushes `inputs` in chunks of `lengths`: outputs joined in time, or the last where they have no time."""
        parts, start = [], 0
        for length in lengths:
            parts.append(self.push(*(value[:, start : start + length] for value in inputs)))
            start += length
        assert start == inputs[0].shape[1]
        rank = [len(spec.axes) > 2 for spec in self.source.signature.outputs]
        joined = zip(zip(*parts, strict=True), rank, strict=False)
        return [np.concatenate(values, 1) if timed else values[-1] for values, timed in joined]


def assert_streams(model, *inputs, seeds=3):
    want = [np.asarray(value) for value in keras.tree.flatten(model([*inputs] if len(inputs) > 1 else inputs[0]))]
    stream = Stream(model, batch=len(inputs[0]))
    assert all(np.ptp(value) > 1e-3 for value in want), "a constant would stream whatever the states do"
    for seed in range(seeds):
        stream.states = [np.zeros_like(state) for state in stream.states]
        got = stream.run(inputs, random_lengths(inputs[0].shape[1], seed))
        for mine, expected in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-5)
    return stream


@pytest.mark.parametrize("stack", some(MODELS.values(), 3), ids=MODELS)
def test_any_chunking_equals_one_pass(stack):
    assert_streams(model_of(*stack()), frames(37))


@pytest.mark.parametrize("shape", [(None, 6, 5, 2)])
def test_convolutional_lstm_streams(shape):
    model = model_of(layers.ConvLSTM2D(3, 2, return_sequences=True), shape=shape)
    x = np.random.default_rng(0).standard_normal((B, 11, 6, 5, 2)).astype("f")
    stream = assert_streams(model, x, seeds=1)
    assert [(state.input, state.shape) for state in stream.source.signature.states] == [
        (f"{model.layers[1].name}_h", (None, 5, 4, 3)),
        (f"{model.layers[1].name}_c", (None, 5, 4, 3)),
    ]


def test_images_per_step_stream_through_time_distributed():
    model = model_of(
        layers.TimeDistributed(layers.Conv1D(4, 3, padding="same")),
        layers.TimeDistributed(layers.Bidirectional(layers.LSTM(3))),
        LSTM(H, return_sequences=True),
        shape=(None, 6, 2),
    )
    assert_streams(model, np.random.default_rng(0).standard_normal((B, 9, 6, 2)).astype("f"), seeds=1)


def test_reshaping_what_lies_behind_time_streams():
    model = model_of(layers.Reshape((-1, 12)), LSTM(H, return_sequences=True), shape=(None, 6, 2))
    assert_streams(model, np.random.default_rng(0).standard_normal((B, 9, 6, 2)).astype("f"), seeds=1)


@pytest.mark.parametrize("layer", MASKED.values(), ids=MASKED)
def test_masked_steps_at_the_edge_of_a_chunk_repeat_the_output_before(layer):
    """Token 0 is masked, and one token in five is 0."""
    model = model_of(layers.Embedding(5, D, mask_zero=True), layer(), shape=(None,), dtype="int32")
    x = tokens(31)
    x[0, :4], x[1, 20:] = 0, 0
    assert_streams(model, x)


def test_a_masking_layer_streams():
    x = frames(25)
    x[:, 3:9], x[1, :3] = 0, 0
    assert_streams(model_of(layers.Masking(), LSTM(H, return_sequences=True)), x)


def test_several_inputs_outputs_and_branches_stream():
    first, second = keras.Input((None, D), name="first"), keras.Input((None, D), name="second")
    shared = LSTM(H, return_sequences=True, return_state=True, name="shared")
    a, h, c = shared(first)
    b, _, _ = shared(second)
    joined = layers.Concatenate()([a, b, ops.tanh(first) * 2 - second])
    last = joined[:, -1]
    model = shaken(keras.Model([first, second], {"joined": joined, "h": h, "c": c, "last": last}))
    stream = assert_streams(model, frames(23), frames(23, seed=5))
    names = ["shared_h", "shared_c", "shared_h_1", "shared_c_1"]
    assert [state.input for state in stream.source.signature.states] == names
    assert stream.source.signature.input_names == ("first", "second", *names)
    assert stream.source.signature.output_names[4:] == tuple(f"{name}_out" for name in names)


def test_an_input_without_time_accompanies_every_chunk():
    sequence, context = keras.Input((None, D), name="sequence"), keras.Input((5,), name="context")
    gate = layers.Dense(H, "sigmoid")(context)
    hidden = GRU(H, return_sequences=True)(sequence) * gate[:, None]
    model = shaken(keras.Model([sequence, context], hidden))
    x, c = frames(12), np.random.default_rng(3).standard_normal((B, 5)).astype("f")
    stream = Stream(model)
    got = np.concatenate([stream.push(x[:, :5], c)[0], stream.push(x[:, 5:], c)[0]], 1)
    np.testing.assert_allclose(got, model([x, c]), rtol=0, atol=1e-5)


def test_nested_and_subclassed_models_stream():
    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = model_of(layers.Dense(D), LSTM(H, return_sequences=True))
            self.head = keras.Sequential([layers.Dense(3), GRU(H, return_sequences=True)])

        def call(self, x):
            return self.head(self.inner(x)) + 1

    model = Outer()
    model(frames(3))
    assert_streams(shaken(model), frames(20), seeds=1)


def test_a_model_built_for_a_fixed_length_takes_chunks():
    model = model_of(layers.Conv1D(H, 3, padding="causal"), LSTM(H, return_sequences=True), GRU(H), shape=(37, D))
    stream = assert_streams(model, frames(37))
    assert stream.source.signature.inputs[0].shape == (None, None, D)


def test_a_stateful_model_streams_with_its_batch():
    inputs = keras.Input(batch_shape=(B, None, D))
    model = shaken(keras.Model(inputs, LSTM(H, stateful=True, return_sequences=True, name="lstm")(inputs)))
    stream = Stream(model)
    assert stream.source.signature.states[0] == StateSpec("lstm", "lstm_h", "lstm_h_out", "float32", (B, H))
    got = stream.run([frames(20)], random_lengths(20, 0))
    np.testing.assert_allclose(got[0], model(frames(20)), rtol=0, atol=1e-5)


def test_half_precision_streams_in_single_precision():
    model = model_of(LSTM(H, return_sequences=True, dtype="mixed_float16"))
    with lowered(model, Tracer(None), ()):
        want = model(frames(20)).numpy()
    got = Stream(model).run([frames(20)], random_lengths(20, 0))
    np.testing.assert_allclose(got[0], want, rtol=0, atol=1e-5)


def test_ten_thousand_steps_do_not_drift():
    model = model_of(
        layers.Conv1D(H, 3, padding="causal", strides=2), layers.AveragePooling1D(3),
        LSTM(H, return_sequences=True), GRU(H, return_sequences=True),
    )  # fmt: skip
    x = frames(10_000)
    got = Stream(model).run([x], random_lengths(10_000, 0, longest=97))
    np.testing.assert_allclose(got[0], tf.function(model)(x), rtol=0, atol=1e-5)


def test_states_are_named_and_shaped_in_the_signature():
    model = model_of(
        layers.Conv1D(5, 3, padding="causal", dilation_rate=2, name="conv"), layers.MaxPooling1D(2, name="pool"),
        layers.RNN([layers.LSTMCell(H), layers.GRUCell(6)], return_sequences=True, name="rnn"),
        layers.RNN(Leaky(), name="leaky"),
    )  # fmt: skip
    signature = streaming_source(read(model), chunk=4).signature
    assert [(state.layer, state.input, state.output, state.dtype, state.shape) for state in signature.states] == [
        ("conv", "conv_buffer", "conv_buffer_out", "float32", (None, 4, D)),
        ("rnn", "rnn_cell0_h", "rnn_cell0_h_out", "float32", (None, H)),
        ("rnn", "rnn_cell0_c", "rnn_cell0_c_out", "float32", (None, H)),
        ("rnn", "rnn_cell1_h", "rnn_cell1_h_out", "float32", (None, 6)),
        ("leaky", "leaky_h", "leaky_h_out", "float32", (None, H)),
    ]
    assert [spec.describe() for spec in signature.inputs] == [
        "frames float32 [batch, 4, 3]",
        "conv_buffer float32 [batch, 4, 3]",
        "rnn_cell0_h float32 [batch, 4]",
        "rnn_cell0_c float32 [batch, 4]",
        "rnn_cell1_h float32 [batch, 6]",
        "leaky_h float32 [batch, 4]",
    ]


def test_strides_keep_a_phase_where_the_chunk_is_free():
    model = model_of(layers.Conv1D(5, 3, padding="causal", strides=2, name="conv"), layers.MaxPooling1D(2, name="pool"))
    signature = streaming_source(read(model)).signature
    assert [(state.input, state.dtype, state.shape) for state in signature.states] == [
        ("conv_buffer", "float32", (None, 2, D)),
        ("conv_phase", "int32", (None, 1)),
        ("pool_buffer", "float32", (None, 1, 5)),
        ("pool_phase", "int32", (None, 1)),
    ]


FIXED = {
    "recurrence": (lambda: [LSTM(H, return_sequences=True), GRU(H)], 5, (None, H)),
    "strides": (
        lambda: [
            layers.Conv1D(H, 3, padding="causal", strides=2),
            layers.MaxPooling1D(3),
            LSTM(H, return_sequences=True),
        ],
        12,
        (None, 2, H),
    ),
    "upsampling": (lambda: [LSTM(H, return_sequences=True), layers.UpSampling1D(3)], 2, (None, 6, H)),
}


@pytest.mark.parametrize(("stack", "chunk", "shape"), FIXED.values(), ids=FIXED)
def test_a_fixed_chunk_equals_one_pass(stack, chunk, shape):
    model, x = model_of(*stack()), frames(5 * chunk)
    stream = Stream(model, chunk)
    assert stream.source.signature.inputs[0].shape == (None, chunk, D)
    assert stream.source.signature.outputs[0].shape == shape
    got = stream.run([x], [chunk] * 5)
    np.testing.assert_allclose(got[0], model(x), rtol=0, atol=1e-5)


def test_rows_at_different_phases_do_not_mix():
    model = model_of(layers.MaxPooling1D(3, name="pool"), LSTM(H))
    stream = Stream(model)
    stream.push(frames(2))
    place = [state.input for state in stream.source.signature.states].index("pool_phase")
    stream.states[place][1] = 0
    with pytest.raises(tf.errors.InvalidArgumentError):
        stream.push(frames(2))


def test_the_model_is_as_it_was():
    model = model_of(layers.Conv1D(H, 3, padding="causal"), layers.Dense(3), LSTM(H, dtype="mixed_float16"))
    before = [dict(layer.__dict__) for layer in model.layers]
    streaming_source(read(model), chunk=3)
    with pytest.raises(Unsupported):
        streaming_source(read(keras.Sequential([model.layers[1], layers.GlobalMaxPooling1D()])))
    for layer, was in zip(model.layers, before, strict=True):
        assert layer.__dict__.keys() == was.keys()
        assert all(layer.__dict__[name] is value for name, value in was.items() if isinstance(value, str | int | float))
    assert model.layers[3].dtype_policy.name == "mixed_float16"


def test_the_chunk_is_that_of_the_steps_whatever_comes_first(tmp_path):
    static, frames = keras.Input((4,), name="static"), keras.Input((None, 3), name="frames")
    x = layers.Concatenate()([static, layers.GRU(2)(frames)])
    export.to_onnx(keras.Model([static, frames], x), tmp_path / "model.onnx", streaming=True)
    assert open_artifact(tmp_path / "model.onnx").stream().chunk is None
