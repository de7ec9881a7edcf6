"""SavedModels: Keras' own numbers in a process that has neither Keras nor this package."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from export import saved_model
from export.lowering import source as sources
from tests.export.tflite_parity import model_of, randomised
from zoo.layers import GRU, LSTM

ALONE = """
import sys
sys.modules.update(zoo=None, export=None, keras=None)
import numpy as np
import tensorflow as tf
folder, arrays = sys.argv[1:]
given = dict(np.load(arrays))
want = given.pop("want")
function = tf.saved_model.load(folder).signatures["serving_default"]
(got,) = function(**{name: tf.constant(value) for name, value in given.items()}).values()
print(float(np.abs(got.numpy() - want).max()))
"""


def _written(model, folder):
    source = sources.read(model)
    return saved_model.write(source, folder / "saved_model", '{"name": "test"}')


def _serving(folder):
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    function = loaded.signatures["serving_default"]
    function.keeps_alive = loaded
    return function


def _masked(x, mask):
    return layers.Dense(2)(layers.Bidirectional(LSTM(4, return_sequences=True))(x, mask=mask))


MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
X = np.random.default_rng(5).standard_normal((3, 5, 3)).astype("float32")


def test_it_runs_where_zoo_export_and_keras_cannot_be_imported(tmp_path):
    model = model_of(_masked, time=None, masked=True)
    _written(model, tmp_path)
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, x=X, mask=MASK, want=model([X, MASK]).numpy())
    command = [sys.executable, "-c", ALONE, str(tmp_path / "saved_model"), str(arrays)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-6


@pytest.mark.parametrize("layer", [layers.GRU, GRU, layers.LSTM, layers.SimpleRNN])
def test_masks_of_any_pattern_give_keras_numbers(layer, tmp_path):
    model = model_of(
        lambda x, mask: layer(4, return_sequences=True, go_backwards=True)(x, mask=mask), None, masked=True
    )
    _written(model, tmp_path)
    (got,) = _serving(tmp_path)(x=tf.constant(X), mask=tf.constant(MASK)).values()
    np.testing.assert_allclose(got, model([X, MASK]), atol=1e-6)


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (2, 17), (7, 3)])
def test_batch_and_time_are_free_where_the_model_leaves_them(batch, steps, tmp_path):
    model = model_of(lambda x: layers.GRU(4)(x), time=None)
    _written(model, tmp_path)
    x = np.random.default_rng(6).standard_normal((batch, steps, 3)).astype("float32")
    (got,) = _serving(tmp_path)(x=tf.constant(x)).values()
    np.testing.assert_allclose(got, model(x), atol=1e-6)


def test_inputs_and_outputs_have_the_names_and_shapes_of_the_signature(tmp_path):
    first, second = keras.Input((None, 3), name="first"), keras.Input((4,), dtype="int32", name="second tokens")
    embedded = layers.GlobalMaxPooling1D()(layers.Embedding(5, 2)(second))
    outputs = [layers.GRU(2, name="encoded")(first), layers.Dense(1, name="score")(embedded)]
    model = randomised(keras.Model([first, second], outputs))
    _written(model, tmp_path)
    function, signature = _serving(tmp_path), sources.read(model).signature
    specs = function.structured_input_signature[1]
    assert {name: (tuple(spec.shape), spec.dtype.name) for name, spec in specs.items()} == {
        "first": ((None, None, 3), "float32"),
        "second_tokens": ((None, 4), "int32"),
    }
    assert set(specs) == set(signature.input_names)
    assert set(function.structured_outputs) == set(signature.output_names) == {"encoded", "score"}


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "bfloat16"])
def test_low_precision_policies_are_computed_and_returned_in_float32(policy, tmp_path):
    model = model_of(lambda x: layers.LSTM(4, dtype=policy, recurrent_initializer="zeros")(x), time=None)
    _written(model, tmp_path)
    (got,) = _serving(tmp_path)(x=tf.constant(X)).values()
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, keras.ops.cast(model(X), "float32"), atol=2e-2 if policy == "bfloat16" else 3e-3)
    assert model.layers[-1].dtype_policy.name == policy


def test_no_layer_may_pick_cudnn_while_it_is_traced(tmp_path):
    seen = []

    class Watched(LSTM):
        def inner_loop(self, *args, **kwargs):
            seen.append(self.use_cudnn)
            return super().inner_loop(*args, **kwargs)

    model = model_of(lambda x: Watched(3)(x), time=None)
    del seen[:]
    report = _written(model, tmp_path)
    assert seen == [False] and model.layers[-1].use_cudnn == "auto"
    assert "While" in report.operators and not [name for name in report.operators if "Cudnn" in name]


def test_a_stateful_layer_answers_the_same_every_time_and_says_so(tmp_path):
    x = keras.Input(batch_shape=(3, 5, 3), name="x")
    model = randomised(keras.Model(x, layers.GRU(4, stateful=True, name="memory")(x)))
    report = _written(model, tmp_path)
    want = model(X).numpy()
    for _ in range(2):
        (got,) = _serving(tmp_path)(x=tf.constant(X)).values()
        np.testing.assert_allclose(got, want, atol=1e-6)
    assert model.layers[-1].stateful
    assert report.notes == [
        "Layer 'memory' is stateful: the file starts every call from zero states. "
        "Export with streaming=True to carry them from call to call."
    ]


def test_the_manifest_lies_in_the_folder_and_no_trace_of_the_source_does(tmp_path):
    _written(model_of(lambda x: layers.LSTM(2)(x), time=None), tmp_path)
    folder = tmp_path / "saved_model"
    assert (folder / "assets.extra" / "recurrent_zoo.json").read_text() == '{"name": "test"}'
    assert not any(b"site-packages" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_weights_are_written_byte_for_byte_the_same_again(tmp_path):
    model = model_of(lambda x: layers.LSTM(2)(x), time=None)
    contents = []
    for name in ("first", "second"):
        _written(model, tmp_path / name)
        contents.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("variables/*"))])
    assert contents[0] == contents[1] and len(contents[0]) == 2
