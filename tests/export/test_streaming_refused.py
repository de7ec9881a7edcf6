"""What a stream cannot do is refused: the layer, the rule and the remedy by name, before anything is written."""

import keras
import pytest
from keras import layers, ops

import export
from export.lowering.source import read
from export.lowering.streaming import streaming_source
from tests.export.streaming_models import D, H, Leaky, frames, model_of
from zoo.errors import InvalidInput, Unsupported
from zoo.layers import GRU, LSTM


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


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_whole_integers_are_refused_with_the_first_layer_that_has_a_state(quantize, tmp_path):
    model = model_of(GRU(H, return_sequences=True, name="memory"), LSTM(H))
    with pytest.raises(Unsupported) as error:
        export.to_tflite(
            model, tmp_path / "m.tflite", streaming=True, quantize=quantize, calibration=[{"frames": frames(6)}]
        )
    assert str(error.value) == (
        f"quantize='{quantize}' cannot stream: files in full integers take and hand out no states, as layer 'memory' "
        "needs. Use quantize='dynamic' or 'float16', or export without streaming."
    )
    assert not list(tmp_path.iterdir())


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
