"""The names of a file's inputs and outputs are those a person gave: of layers, or the keys of dictionaries."""

import keras
import numpy as np
import pytest
from keras import layers

import export
from export.executors import open_artifact

pytestmark = pytest.mark.usefixtures("small_probes")
RNG = np.random.default_rng(0)
EXPORTS = {"onnx": export.to_onnx, "tflite": export.to_tflite, "saved_model": export.to_saved_model}


def exported(model, to, tmp_path):
    suffix = "" if to == "saved_model" else f".{to}"
    artifact = EXPORTS[to](model, tmp_path / f"model{suffix}")
    return open_artifact(artifact.path)


@pytest.mark.parametrize("to", EXPORTS)
def test_names_that_look_made_up_stay_with_their_inputs(to, tmp_path):
    first, second = keras.Input((None, 3), name="input_1"), keras.Input((None, 3), name="input")
    model = keras.Model([first, second], layers.Concatenate()([layers.GRU(2)(first), layers.LSTM(2)(second)]))
    file = exported(model, to, tmp_path)
    assert file.signature.input_names == ("input_1", "input")
    x = dict(zip(("input_1", "input"), RNG.normal(size=(2, 1, 4, 3)).astype("float32"), strict=True))
    (found,) = file.run(x).values()
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


def test_names_keras_made_up_give_way_to_those_that_were_given(tmp_path):
    first, second = keras.Input((None, 3)), keras.Input((None, 3), name="input")
    model = keras.Model([first, second], layers.Concatenate()([layers.GRU(2)(first), layers.LSTM(2)(second)]))
    assert exported(model, "onnx", tmp_path).signature.input_names == ("input_1", "input")


@pytest.mark.parametrize("to", EXPORTS)
def test_outputs_in_dictionaries_have_their_keys(to, tmp_path):
    tokens, number = keras.Input((None,), dtype="int32", name="tokens"), keras.Input((2,), name="number")
    x, h, c = layers.LSTM(5, return_sequences=True, return_state=True)(layers.Embedding(11, 4, mask_zero=True)(tokens))
    label = layers.Dense(2)(layers.Concatenate()([h, number]))
    model = keras.Model({"tokens": tokens, "number": number}, {"steps": x, "states": {"h": h, "c": c}, "label": label})
    given = {"tokens": np.array([[1, 2, 3, 0]], "int32"), "number": np.ones((1, 2), "float32")}
    found, wanted = exported(model, to, tmp_path).run(given), model.predict(given, verbose=0)
    assert set(found) == {"steps", "states_h", "states_c", "label"}
    expected = {"steps": wanted["steps"], "label": wanted["label"]}
    expected |= {f"states_{name}": value for name, value in wanted["states"].items()}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)


class Nested(keras.Model):
    def __init__(self):
        super().__init__()
        self.gru, self.dense = layers.GRU(3), layers.Dense(2)

    def call(self, inputs, training=None):
        return {"logits": self.dense(self.gru(inputs["frames"])), "twice": 2 * inputs["number"]}


def test_a_subclassed_model_keeps_the_keys_of_its_dictionaries(tmp_path):
    model, given = Nested(), {"frames": RNG.normal(size=(2, 5, 3)).astype("float32"), "number": np.ones((2, 2), "f")}
    wanted = model(given)
    found = exported(model, "onnx", tmp_path).run(given)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_a_subclassed_model_says_what_it_does_not_record_of_its_inputs(tmp_path):
    model = Nested()
    model({"frames": np.zeros((2, 5, 3), "float32"), "number": np.ones((2, 2), "int32")})
    (note,) = export.to_onnx(model, tmp_path / "model.onnx").notes
    assert note == (
        "Of its inputs Nested records only the shape of the batch it was built with; they are taken for frames float32 "
        "[batch, 5, 3], number float32 [batch, 2]. For another type or a free axis, build it as "
        "keras.Model(inputs, outputs)."
    )
