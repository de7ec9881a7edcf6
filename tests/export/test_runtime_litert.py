"""TFLite files: any batch from a file of batch 1, no state from call to call, and metadata without FlatBuffers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from export import manifest, tflite
from export.lowering import source
from export.lowering.tflite import TFLiteTarget
from export.lowering.trace import Tracer
from export.manifest import Manifest
from export.runtime import load, tflite_metadata
from zoo.errors import InvalidInput, UntrustedFile

X = np.random.default_rng(0).standard_normal((3, 12, 4)).astype("float32")


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """An LSTM as plain fused operator, whose state the file keeps; and its model."""
    frames = keras.Input((None, 4), name="frames")
    model = keras.Model(frames, layers.LSTM(3, return_sequences=True, name="hidden")(frames), name="leaky")
    read, path = source.read(model), tmp_path_factory.mktemp("litert") / "model.tflite"
    text = manifest.embedded(Manifest("leaky", "tflite", read.signature))
    tflite.write(read, path, text, tracer=Tracer(TFLiteTarget("dynamic")))
    return model, path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What Keras itself writes: free batch, no metadata of ours."""
    model = keras.Sequential([keras.Input((12, 4), name="frames"), layers.Flatten(), layers.Dense(3, name="y")])
    model(X)
    path = tmp_path_factory.mktemp("plain") / "model.tflite"
    model.export(path, format="litert", verbose=False)
    return model, path


def test_the_bare_interpreter_gives_another_answer_the_second_time(leaky):
    _, path = leaky
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    first, second = (runner(frames=X[:1])["hidden"].copy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_the_executor_gives_the_same_answer_every_time(leaky):
    model, path = leaky
    executor = load(path)
    for x in (X, X, X[:1, :5], X[:2], X):
        np.testing.assert_allclose(executor.run({"frames": x})["hidden"], model(x), atol=1e-5)


def test_a_file_of_batch_1_has_a_free_batch_and_time(leaky):
    executor = load(leaky[1])
    assert [spec.describe() for spec in executor.signature.inputs] == ["frames float32 [batch, time, 4]"]
    assert executor.metadata.name == "leaky"


def test_a_file_of_plain_keras_is_described_by_itself_and_runs(plain):
    model, path = plain
    executor = load(path)
    assert executor.metadata is None
    (name,), (output,) = executor.signature.input_names, executor.signature.output_names
    assert executor.signature.inputs[0].shape == (None, 12, 4)
    np.testing.assert_allclose(executor.run({name: X})[output], model(X), atol=1e-5)


def test_the_metadata_reader_finds_what_the_converter_wrote_and_nothing_else(plain):
    content = plain[1].read_bytes()
    assert tflite_metadata.read(content, "min_runtime_version").rstrip(b"\0").count(b".") == 2
    assert tflite_metadata.read(content, "recurrent_zoo") is None


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "the identifier TFL3 is missing"),
    (b"PK\x03\x04 something else", "the identifier TFL3 is missing"),
    (b"\xff\xff\x00\x00TFL3\x00\x00", "its tables point outside the file"),
])  # fmt: skip
def test_a_file_that_is_no_tflite_file_is_refused(tmp_path, content, reason):
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(UntrustedFile) as error:
        load(path)
    assert str(error.value) == f"{path} is not a TFLite file: {reason}. Fetch or export it again."


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(leaky, tmp_path, share):
    content = leaky[1].read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UntrustedFile) as error:
        load(path)
    assert str(error.value).endswith("Fetch or export it again.")


def test_a_file_that_needs_flex_operators_is_refused_with_the_remedy(tmp_path):
    model = keras.Sequential([keras.Input((5, 4)), layers.LSTM(3)])
    model(np.zeros((1, 5, 4)))
    path = tmp_path / "flex.tflite"
    model.export(path, format="litert", verbose=False)
    with pytest.raises(InvalidInput) as error:
        load(path)
    assert str(error.value).startswith(f"{path} needs operators that LiteRT does not have: ")
    assert str(error.value).endswith(
        "Export the Keras model with export.to_tflite, which uses built-in operators only."
    )
    assert "\n" not in str(error.value)


def test_a_provider_is_refused(leaky):
    with pytest.raises(InvalidInput) as error:
        load(leaky[1], provider="cuda")
    assert str(error.value) == (f"Providers are for ONNX files; {leaky[1]} runs on the CPU. Leave provider='cuda' out.")


def _of_signatures(path, names):
    """A file of several signatures, each y = a number of its own times x."""

    class Module(tf.Module):
        def times(self, factor):
            return tf.function(lambda x: {"y": factor * x}, input_signature=[tf.TensorSpec([None, 4], name="x")])

    module = Module()
    functions = {name: module.times(float(factor)) for factor, name in enumerate(names, 2)}
    module.kept = list(functions.values())
    tf.saved_model.save(module, str(path / "saved"), signatures=functions)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(path / "saved"), signature_keys=list(names))
    (path / "m.tflite").write_bytes(converter.convert())
    return path / "m.tflite"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_of_several_signatures_the_default_one_runs_wherever_it_stands(tmp_path):
    for place, names in enumerate((("another", "serving_default"), ("serving_default", "third"))):
        folder = tmp_path / names[0]
        folder.mkdir()
        executor = load(_of_signatures(folder, names))
        for rows in (1, 3):
            np.testing.assert_allclose(executor.run({"x": X[:rows, 0]})["y"], (3.0 - place) * X[:rows, 0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_several_signatures_without_a_default_are_refused(tmp_path):
    path = _of_signatures(tmp_path, ("first", "second"))
    with pytest.raises(InvalidInput) as error:
        load(path)
    assert str(error.value) == f"{path} has 2 signatures; it needs one, or one named 'serving_default'."


def test_a_call_that_does_not_fit_leaves_the_next_one_right(leaky):
    model, path = leaky
    executor = load(path)
    want = np.asarray(model(X[:1]))
    np.testing.assert_allclose(executor.run({"frames": X[:1]})["hidden"], want, atol=1e-5)
    with pytest.raises(InvalidInput):
        executor.run_checked({"frames": X[:1, :, :3]})
    np.testing.assert_allclose(executor.run({"frames": X[:1]})["hidden"], want, atol=1e-5)
