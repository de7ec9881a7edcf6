"""Streaming: chunks of any length through the transformed model are one pass of Keras; what looks ahead is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from export.lowering.plain import PlainTarget
from export.lowering.source import read
from export.lowering.streaming import streaming_source
from export.lowering.trace import Tracer, lowered
from zoo.errors import InvalidInput, Unsupported
from zoo.layers import GRU, LSTM
from zoo.spec import StateSpec

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


def random_lengths(steps, seed, longest=9):
    rng = np.random.default_rng(seed)
    lengths = []
    while sum(lengths) < steps:
        lengths.append(min(int(rng.integers(1, longest + 1)), steps - sum(lengths)))
    return lengths


def assert_streams(model, *inputs, seeds=3):
    want = [np.asarray(value) for value in keras.tree.flatten(model([*inputs] if len(inputs) > 1 else inputs[0]))]
    stream = Stream(model, batch=len(inputs[0]))
    for seed in range(seeds):
        stream.states = [np.zeros_like(state) for state in stream.states]
        got = stream.run(inputs, random_lengths(inputs[0].shape[1], seed))
        for mine, expected in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-5)
    return stream


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


@pytest.mark.parametrize("stack", MODELS.values(), ids=MODELS)
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


MASKED = {
    "lstm": lambda: LSTM(H, return_sequences=True),
    "lstm, last": lambda: LSTM(H),
    "gru, zeros": lambda: GRU(H, return_sequences=True, zero_output_for_mask=True),
    "gru, zeros, last": lambda: GRU(H, zero_output_for_mask=True),
    "stacked": lambda: layers.RNN([layers.LSTMCell(H), layers.LSTMCell(D)], return_sequences=True),
    "custom": lambda: layers.RNN(Leaky(), return_sequences=True),
    "custom, last": lambda: layers.RNN(Leaky()),
}


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


def refused(layer, shape=(None, D), before=(), after=(), chunk=None):
    return refused_model(model_of(*before, layer, *after, shape=shape), chunk)


def refused_model(model, chunk=None):
    with pytest.raises(Unsupported) as error:
        streaming_source(read(model), chunk)
    return str(error.value)


OUT = "Take it out, or export without streaming."
FORWARD = "Use a forward layer, or export without streaming."
REFUSED = {
    "bidirectional": (
        lambda: layers.Bidirectional(LSTM(H), name="bi"),
        f"Layer 'bi' (Bidirectional) cannot stream: its backward side reads the sequence from its end. {FORWARD}",
    ),
    "backwards": (
        lambda: GRU(H, go_backwards=True, name="gru"),
        f"Layer 'gru' (GRU) cannot stream: go_backwards=True reads the sequence from its end. {FORWARD}",
    ),
    "centred convolution": (
        lambda: layers.Conv1D(H, 3, padding="same", name="conv"),
        "Layer 'conv' (Conv1D) cannot stream: padding='same' lets its kernel of 3 steps read later ones. "
        "Use padding='causal', or export without streaming.",
    ),
    "valid convolution": (
        lambda: layers.Conv1D(H, 2, dilation_rate=3, name="conv"),
        "Layer 'conv' (Conv1D) cannot stream: padding='valid' lets its kernel of 4 steps read later ones. "
        "Use padding='causal', or export without streaming.",
    ),
    "depthwise convolution": (
        lambda: layers.DepthwiseConv1D(3, padding="same", name="conv"),
        "Layer 'conv' (DepthwiseConv1D) cannot stream: padding='same' lets its kernel of 3 steps read later ones. "
        "Use padding='causal', or export without streaming.",
    ),
    "padded pooling": (
        lambda: layers.MaxPooling1D(2, padding="same", name="pool"),
        "Layer 'pool' (MaxPooling1D) cannot stream: padding='same' pads the end of the sequence. "
        "Use padding='valid', or export without streaming.",
    ),
    "global average": (
        lambda: layers.GlobalAveragePooling1D(name="pool"),
        f"Layer 'pool' (GlobalAveragePooling1D) cannot stream: it averages over the whole sequence. {OUT}",
    ),
    "global maximum": (
        lambda: layers.GlobalMaxPooling1D(name="pool"),
        f"Layer 'pool' (GlobalMaxPooling1D) cannot stream: it takes the maximum over the whole sequence. {OUT}",
    ),
    "softmax over time": (
        lambda: layers.Softmax(axis=1, name="softmax"),
        "Layer 'softmax' (Softmax) cannot stream: it normalises over the time axis. "
        "Give it axis=-1, or export without streaming.",
    ),
    "padding": (
        lambda: layers.ZeroPadding1D(1, name="pad"),
        f"Layer 'pad' (ZeroPadding1D) cannot stream: it pads the ends of the sequence. {OUT}",
    ),
    "cropping": (
        lambda: layers.Cropping1D(1, name="crop"),
        f"Layer 'crop' (Cropping1D) cannot stream: it crops the ends of the sequence. {OUT}",
    ),
    "permutation": (
        lambda: layers.Permute((2, 1), name="permute"),
        f"Layer 'permute' (Permute) cannot stream: it moves the time axis. {OUT}",
    ),
    "convolution over images of time": (
        lambda: keras.Sequential([layers.Reshape((-1, D, 1)), layers.Conv2D(2, 3, padding="same", name="conv")]),
        f"Layer 'conv' (Conv2D) cannot stream: its answer for one step depends on other steps. {OUT}",
    ),
    "transposed convolution": (
        lambda: layers.Conv1DTranspose(H, 3, name="conv"),
        f"Layer 'conv' (Conv1DTranspose) cannot stream: its answer for one step depends on other steps. {OUT}",
    ),
    "learned initial states": (
        lambda: layers.RNN(Started(H), name="rnn"),
        f"Layer 'rnn' (RNN) cannot stream: its cell does not start from zero. {OUT}",
    ),
}


class Started(layers.GRUCell):
    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, H))]


@pytest.mark.parametrize(("layer", "text"), REFUSED.values(), ids=REFUSED)
def test_what_needs_the_future_is_refused_by_name(layer, text):
    assert refused(layer(), before=[LSTM(D, return_sequences=True)]) == text


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_attention_is_refused_by_name(kind):
    inputs = keras.Input((None, D))
    hidden = LSTM(H, return_sequences=True)(inputs)
    assert refused_model(keras.Model(inputs, kind(name="attention")([hidden, hidden]))) == (
        f"Layer 'attention' ({kind.__name__}) cannot stream: every step attends to the whole sequence. {OUT}"
    )


def test_multi_head_attention_is_refused_by_name():
    inputs = keras.Input((None, D))
    attended = layers.MultiHeadAttention(2, 2, name="attention")(inputs, inputs, use_causal_mask=True)
    assert refused_model(keras.Model(inputs, LSTM(H)(attended))) == (
        f"Layer 'attention' (MultiHeadAttention) cannot stream: every step attends to the whole sequence. {OUT}"
    )


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (layers.Flatten(name="layer"), "it merges the steps of the whole sequence"),
        (layers.Reshape((2, -1), name="layer"), "it reshapes the time axis"),
    ],
)
def test_reshaping_a_fixed_length_is_refused_by_name(layer, why):
    text = refused(layer, shape=(8, D), before=[LSTM(H, return_sequences=True)])
    assert text == f"Layer 'layer' ({type(layer).__name__}) cannot stream: {why}. {OUT}"


def test_an_answer_over_the_whole_sequence_does_not_return_to_the_steps():
    inputs = keras.Input((None, D))
    hidden = LSTM(H, return_sequences=True)(inputs)
    again = layers.Multiply(name="gate")([hidden, GRU(H)(inputs)[:, None]])
    assert refused_model(keras.Model(inputs, again)) == (
        "Layer 'gate' (Multiply) cannot stream: it joins the steps to an answer over the whole sequence, "
        f"which a stream does not have yet. {OUT}"
    )


def test_an_operation_over_time_is_refused_by_name():
    inputs = keras.Input((None, D))
    total = ops.cumsum(LSTM(H, return_sequences=True)(inputs), axis=1)
    operation = total._keras_history.operation.name
    assert refused_model(keras.Model(inputs, total)) == (
        f"Operation '{operation}' (Cumsum) cannot stream: its answer for one step depends on other steps. {OUT}"
    )


def test_an_initial_state_is_refused_by_name():
    source, target = keras.Input((None, D)), keras.Input((None, D))
    _, *states = LSTM(H, return_state=True, name="encoder")(source)
    model = keras.Model([source, target], LSTM(H, name="decoder")(target, initial_state=states))
    assert refused_model(model) == (
        "Layer 'decoder' (LSTM) cannot stream: it is given an initial state, which belongs to the first chunk alone. "
        "Drop initial_state, or export without streaming."
    )


def test_a_cell_of_its_own_behind_strides_is_refused_by_name():
    text = refused(layers.RNN(Leaky(), name="rnn"), before=[layers.MaxPooling1D(2)])
    assert text == (
        "Layer 'rnn' (RNN) cannot stream: strides before it leave some chunks without a step, for which neither a mask "
        "nor a cell of its own has an answer. Use LSTM, GRU or SimpleRNN without a mask, or give a chunk length."
    )


def test_code_of_a_model_that_reads_later_steps_is_refused():
    class Centred(keras.Model):
        def __init__(self):
            super().__init__(name="centred")
            self.rnn = LSTM(H, return_sequences=True)

        def call(self, x):
            hidden = self.rnn(x)
            return hidden - ops.mean(hidden, 1, keepdims=True)

    model = Centred()
    model(frames(4))
    assert refused_model(model) == (
        "Model 'centred' cannot stream: output 'output' of two chunks is not that of one pass. "
        "Its own code reads beyond the present step; take that out, or export without streaming."
    )


def test_a_model_without_states_is_refused():
    assert refused(layers.Dense(2)) == (
        "Model 'model' has no state to carry: it treats every step alone. "
        "Export without streaming and run it on each chunk."
    )


def test_a_model_without_time_is_refused():
    assert refused(layers.Dense(2), shape=(D,)) == (
        "Model 'model' has no time axis to stream over: it takes frames float32 [batch, 3]. Export without streaming."
    )


@pytest.mark.parametrize("chunk", [0, -1, 2.5, True])
def test_a_chunk_must_be_a_number_of_steps(chunk):
    with pytest.raises(InvalidInput) as error:
        streaming_source(read(model_of(LSTM(H))), chunk)
    assert str(error.value) == f"A chunk is a number of steps, at least 1, not {chunk!r}."


def test_strides_that_do_not_divide_the_chunk_name_one_that_does():
    text = refused(
        layers.MaxPooling1D(3, name="pool"), before=[layers.Conv1D(H, 3, padding="causal", strides=2)], chunk=10
    )
    assert text == (
        "Layer 'pool' (MaxPooling1D) cannot stream: its strides of 3 do not divide the 5 steps that reach it. "
        "Give chunk=30."
    )


def test_windows_that_overlap_do_not_fit_a_fixed_chunk():
    assert refused(layers.MaxPooling1D(3, strides=2, name="pool"), after=[LSTM(H)], chunk=4) == (
        "Layer 'pool' (MaxPooling1D) cannot stream: a fixed chunk does not hold windows of 3 steps that start every 2. "
        "Make its pool_size and strides equal, or export to ONNX."
    )
