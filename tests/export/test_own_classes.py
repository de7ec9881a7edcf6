"""Subclasses of Keras' layers and cells with code of their own: what they do is in the file, whatever they override."""

import threading

import keras
import numpy as np
import pytest
from keras import layers, ops

import export
from export.executors import open_artifact
from export.lowering.plain import PlainTarget
from export.lowering.trace import Tracer, lowered
from zoo.errors import Unsupported

pytestmark = pytest.mark.usefixtures("small_probes")
T, D, H = 7, 3, 4


def own(kind):
    return keras.saving.register_keras_serializable("tests")(kind)


@own
class DoubledSteps(layers.TimeDistributed):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


@own
class LouderInTraining(layers.Layer):
    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, inputs, training=True):
        return inputs * (3.0 if training else 1.0)


@own
class StartsAtOne(layers.LSTMCell):
    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, self.units)), ops.ones((batch_size, self.units))]


@own
class LearnsItsStart(layers.GRU):
    def build(self, input_shape):
        super().build(input_shape)
        self.start = self.add_weight(shape=(1, self.units), initializer="ones", name="start")

    def get_initial_state(self, batch_size):
        return [ops.repeat(self.start, batch_size, 0)]


@own
class Doubled(layers.LSTM):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return 2 * super().call(sequences, initial_state=initial_state, mask=mask, training=training)


@own
class DoubledSides(layers.Bidirectional):
    def call(self, sequences, initial_state=None, mask=None, training=None):
        return 2 * super().call(sequences, initial_state=initial_state, mask=mask, training=training)


@own
class HalfOpenOutput(layers.LSTMCell):
    def _compute_carry_and_output_fused(self, z, c_tm1):
        c, output = super()._compute_carry_and_output_fused(z, c_tm1)
        return c, 0.5 * output


def sequences(size):
    return layers.LSTM(size, return_sequences=True)


def backwards_first():
    return layers.Bidirectional(
        layers.LSTM(H, return_sequences=True, go_backwards=True), backward_layer=sequences(H), merge_mode="sum"
    )


STACKS = {
    "steps of its own": lambda: [sequences(H), DoubledSteps(layers.Dense(2))],
    "steps that differ in training": lambda: [sequences(H), layers.TimeDistributed(LouderInTraining())],
    "a cell with a start": lambda: [layers.RNN(StartsAtOne(H))],
    "a layer with a learned start": lambda: [LearnsItsStart(H)],
    "two sides with a learned start": lambda: [layers.Bidirectional(LearnsItsStart(H, return_sequences=True))],
    "sides of its own": lambda: [layers.Bidirectional(Doubled(H))],
    "a wrapper of its own": lambda: [DoubledSides(layers.LSTM(H))],
    "half a step of its own": lambda: [layers.RNN(HalfOpenOutput(H))],
    "a first side that reads backwards": lambda: [backwards_first()],
    "the same with steps that are masked": lambda: [layers.Masking(), backwards_first()],
}


@pytest.mark.parametrize("format", ["onnx", "tflite", "saved_model"])
@pytest.mark.parametrize("name", STACKS)
def test_the_file_answers_as_the_model_itself(name, format, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((T, D), name="x"), *STACKS[name]()], name="own")
    x = np.random.default_rng(0).normal(size=(2, T, D)).astype("float32")
    x[0, 2] = 0  # which `Masking` masks
    (artifact,) = export.export(model, format, out=tmp_path)
    (answer,) = open_artifact(artifact.path).run({"x": x[:1]}).values()
    np.testing.assert_allclose(answer, np.asarray(model(x))[:1], atol=1e-5)


def test_a_stream_from_another_start_than_zero_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((None, D)), LearnsItsStart(H, name="learns")], name="own")
    with pytest.raises(Unsupported) as error:
        export.to_onnx(model, tmp_path / "m.onnx", streaming=True)
    assert str(error.value) == (
        "Layer 'learns' (LearnsItsStart) cannot stream: its cell does not start from zero. "
        "Take it out, or export without streaming."
    )


@own
class PassesOn(layers.GRU):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)


@pytest.fixture
def stateful():
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, None, D)), PassesOn(H, stateful=True, name="gru")], name="own"
    )
    model(np.ones((2, T, D), "float32"))
    return model


@pytest.mark.parametrize("streaming", [False, True])
def test_states_that_a_subclass_keeps_stay_out_of_the_file(stateful, streaming, tmp_path):
    before = [np.asarray(state) for state in stateful.layers[0].states]
    for path, write in ((tmp_path / "m.onnx", export.to_onnx), (tmp_path / "m.tflite", export.to_tflite)):
        artifact = write(stateful, path, streaming=streaming)
        notes = [note for note in artifact.notes if "is stateful" in note]
        assert artifact.ok and len(notes) == (0 if streaming else 1)
    assert stateful.layers[0].stateful
    for state, kept in zip(stateful.layers[0].states, before, strict=True):
        assert kept.any()
        np.testing.assert_array_equal(np.asarray(state), kept)


def test_another_thread_may_run_the_model_while_it_is_exported(tmp_path):
    model = keras.Sequential([keras.Input((T, D)), layers.GRU(H)], name="own")
    x = np.ones((1, T, D), "float32")
    want, done, found = np.asarray(model(x)), threading.Event(), []

    def run():
        while not done.is_set():
            found.append(np.asarray(model(x)))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        export.to_onnx(model, tmp_path / "m.onnx")
    finally:
        done.set()
        thread.join()
    assert found
    for answer in found:
        np.testing.assert_allclose(answer, want, atol=1e-6)


def test_operators_are_written_plainly_for_the_thread_that_exports_alone():
    model, zeros, found = keras.Sequential([keras.Input((T, D)), layers.GRU(H)]), ops.convert_to_tensor([-0.0, 0.0]), []

    def first():
        found.append(int(ops.argmax(zeros)))

    with lowered(model, Tracer(PlainTarget()), ()):
        first()
        thread = threading.Thread(target=first)
        thread.start()
        thread.join()
    assert found == [0, 1]


@own
class HandsOn(layers.GRU):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: HandsOn(H, dropout=0.2, recurrent_dropout=0.1), (None, D)),
        (lambda: layers.ConvLSTM1D(2, 2, dropout=0.2, recurrent_dropout=0.1), (None, 6, D)),
    ],
    ids=["own call", "convolutional"],
)
def test_dropout_of_a_layer_whose_loop_alone_is_replaced_is_left_out(layer, shape, tmp_path):
    x = keras.Input(shape, name="x")
    model = keras.Model(x, layer()(x))
    file = open_artifact(export.to_onnx(model, tmp_path / "model.onnx").path)
    given = np.random.default_rng(0).normal(size=(2, T, *shape[1:])).astype("float32")
    (found,) = file.run({"x": given}).values()
    np.testing.assert_allclose(found, model.predict(given, verbose=0), atol=1e-5)


@pytest.mark.parametrize("to", ["onnx", "tflite"])
@pytest.mark.parametrize("options", [{"axis": -1}, {"axis": 1, "keepdims": True}], ids=str)
@pytest.mark.parametrize("place", [ops.argmax, ops.argmin], ids=["argmax", "argmin"])
def test_the_place_of_the_largest_number_is_an_operator_of_every_format(place, options, to, tmp_path):
    x = keras.Input((T, D), batch_size=1, name="x")
    model = keras.Model(x, place(layers.LSTM(H, return_sequences=True)(x), **options))
    export_to = export.to_onnx if to == "onnx" else export.to_tflite
    file = open_artifact(export_to(model, tmp_path / f"model.{to}", check=False).path)  # the check's inputs bring ties
    given = np.random.default_rng(0).normal(size=(1, T, D)).astype("float32")
    (found,) = file.run({"x": given}).values()
    np.testing.assert_array_equal(found, model.predict(given, verbose=0))


def test_celu_is_an_operator_of_onnx(tmp_path):
    x = keras.Input((None, D), name="x")
    model = keras.Model(x, layers.Dense(2, activation="celu")(layers.LSTM(H)(x)))
    file = open_artifact(export.to_onnx(model, tmp_path / "model.onnx").path)
    given = np.random.default_rng(0).normal(size=(2, T, D)).astype("float32")
    (found,) = file.run({"x": given}).values()
    np.testing.assert_allclose(found, model.predict(given, verbose=0), atol=1e-5)
