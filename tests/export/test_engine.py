"""Exporting end to end: what is written, what is refused, and that nothing is left behind when it fails."""

import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest
from keras import layers

import export
from export import engine, manifest, runtime
from export.artifact import Written
from export.executors import SavedModelExecutor, open_artifact
from tests.export.small import card, left
from zoo.errors import ExportError, InvalidInput, ParityError, Unsupported, UntrustedFile
from zoo.layers import GRU, LSTM

X = np.random.default_rng(0).standard_normal((3, 6, 4)).astype("float32")


def test_export_writes_a_folder_with_each_file_and_its_hashes(model, tmp_path):
    (artifact,) = export.export(model, ("onnx",), out=tmp_path)
    assert artifact.path == tmp_path / "small" / "model.onnx"
    assert left(tmp_path) == ["small"]
    assert left(tmp_path / "small") == ["manifest.json", "model.onnx"]
    bundle = manifest.read(tmp_path / "small")
    manifest.verify(tmp_path / "small", bundle.files)
    assert bundle.files == {"model.onnx": artifact.sha256}
    assert artifact.bytes == artifact.path.stat().st_size
    assert (artifact.ok, artifact.allowed, artifact.max_abs_diff < 1e-5) == (True, 1e-4, True)
    assert artifact.operators["GRU"] == 1


def test_the_exported_file_runs_by_itself_and_says_what_it_is(model, tmp_path):
    (artifact,) = export.export(model, "onnx", out=tmp_path)
    loaded = runtime.load(tmp_path / "small")
    np.testing.assert_allclose(loaded.run({"frames": X})["logits"], model(X), atol=1e-5)
    assert (loaded.metadata.name, loaded.metadata.format) == ("small", "onnx")
    assert loaded.metadata.parity == manifest.Parity(artifact.max_abs_diff, 1e-4)
    onnx.checker.check_model(artifact.path, full_check=True)


def test_the_manifest_inside_is_the_manifest_beside_but_for_the_hashes(model, tmp_path):
    export.export(model, "onnx", out=tmp_path)
    beside = manifest.read(tmp_path / "small").artifacts[0]
    inside = runtime.load(tmp_path / "small").metadata
    assert inside == dataclasses.replace(beside, operators={}, notes=(), files={})


def test_one_file_goes_where_it_is_told_and_two_exports_are_the_same_bytes(model, tmp_path):
    first, second = export.to_onnx(model, tmp_path / "a" / "x.onnx"), export.to_onnx(model, tmp_path / "y.onnx")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert left(tmp_path) == ["a", "y.onnx"]
    assert first.sha256 == second.sha256 == manifest.sha256(first.path)


def test_a_card_gives_the_file_its_labels_and_units(model, tmp_path):
    spec = dataclasses.replace(card(), labels=("walk", "sit"), sample_rate=50.0)
    export.to_onnx(model, tmp_path / "m.onnx", spec=spec)
    metadata = runtime.load(tmp_path / "m.onnx").metadata
    assert (metadata.name, metadata.labels, metadata.sample_rate) == ("gru.test", ("walk", "sit"), 50.0)
    assert metadata.signature.inputs[0].unit == "g"


def test_without_a_check_the_artifact_says_so(model, tmp_path):
    artifact = export.to_onnx(model, tmp_path / "m.onnx", check=False)
    assert (artifact.ok, artifact.max_abs_diff, artifact.allowed) == (False, None, None)
    assert runtime.load(artifact.path).metadata.parity is None


@pytest.mark.parametrize("form", engine.FORMATS)
def test_every_format_passes_its_check_and_runs_alone(model, tmp_path, form):
    (artifact,) = export.export(model, form, out=tmp_path)
    assert (artifact.format, artifact.ok, artifact.max_abs_diff <= 1e-5) == (form, True, True)
    manifest.verify(tmp_path / "small", manifest.read(tmp_path / "small").files)
    executor = open_artifact(artifact.path)
    assert executor.metadata.parity == manifest.Parity(artifact.max_abs_diff, artifact.allowed)
    np.testing.assert_allclose(executor.run({"frames": X})["logits"], model(X), atol=1e-5)


@pytest.mark.parametrize(
    ("form", "chunks"), [("onnx", [1, 6, 13, 2]), ("saved_model", [1, 6, 13, 2]), ("tflite", [2] * 11)]
)
def test_every_format_streams_and_chunks_equal_one_pass(tmp_path, form, chunks):
    frames = keras.Input((None, 4), name="frames")
    hidden = GRU(3, return_sequences=True)(LSTM(3, return_sequences=True, name="memory")(frames))
    model = keras.Model(frames, layers.Dense(2, name="logits")(hidden), name="live")
    (artifact,) = export.export(model, form, out=tmp_path, streaming=True, chunk=2)
    executor = open_artifact(artifact.path)
    assert [(state.input, state.output) for state in executor.signature.states][:2] == [
        ("memory_h", "memory_h_out"),
        ("memory_c", "memory_c_out"),
    ]
    x = np.random.default_rng(1).standard_normal((2, sum(chunks), 4)).astype("float32")
    stream, ends = executor.stream(batch=2), np.cumsum(chunks)
    got = [stream.push(x[:, end - chunk : end]) for end, chunk in zip(ends, chunks, strict=True)]
    np.testing.assert_allclose(np.concatenate(got, axis=1), model(x), atol=1e-5)


def test_a_streaming_saved_model_still_runs_whole_sequences(model, tmp_path):
    artifact = export.to_saved_model(model, tmp_path / "live", streaming=True)
    whole = SavedModelExecutor(artifact.path, signature="serving_default")
    np.testing.assert_allclose(whole.run({"frames": X})["logits"], model(X), atol=1e-5)
    with pytest.raises(InvalidInput) as error:
        SavedModelExecutor(artifact.path, signature="train")
    assert str(error.value) == (
        f"{artifact.path} has no signature 'train'; it has 'serving_default', 'step'. Export the model again."
    )


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    with pytest.raises(UntrustedFile) as error:
        SavedModelExecutor(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} is not a SavedModel that TensorFlow ")
    assert str(error.value).endswith("Fetch or export it again.")


@pytest.mark.usefixtures("converted_here")
def test_int8_is_checked_on_the_calibration_data(tmp_path):
    frames = keras.Input((6, 4), name="frames")
    model = keras.Model(frames, layers.Dense(2, name="logits")(LSTM(8)(frames)), name="small")
    (artifact,) = export.export(model, "tflite", out=tmp_path, quantize="int8", calibration=[{"frames": X}] * 4)
    assert (artifact.ok, artifact.allowed) == (True, 0.1)
    got = runtime.load(artifact.path).run({"frames": X})["logits"]
    assert 0 < np.abs(got - model(X)).max() < 0.1


def test_the_model_is_as_it_was(tmp_path):
    inputs = keras.Input((5, 4), batch_size=3)
    hidden = layers.LSTM(3, stateful=True, return_sequences=True, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, layers.Bidirectional(LSTM(2))(hidden))
    x = X[:, :5]
    model(x)
    weights, states = model.get_weights(), [state.numpy() for state in model.layers[1].states]
    export.to_onnx(model, tmp_path / "m.onnx")
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for before, after in zip(states, model.layers[1].states, strict=True):
        np.testing.assert_array_equal(before, after)
    assert model.layers[1].dtype_policy.name == "mixed_float16"
    assert not {"call", "inner_loop"} & set(vars(model.layers[1]) | vars(model.layers[2]))


def test_a_keras_file_is_exported_under_its_own_name(model, tmp_path):
    model.save(tmp_path / "walk.keras")
    (artifact,) = export.export(tmp_path / "walk.keras", "onnx", out=tmp_path / "out")
    assert artifact.path == tmp_path / "out" / "walk" / "model.onnx"
    np.testing.assert_allclose(runtime.load(artifact.path).run({"frames": X})["logits"], model(X), atol=1e-5)


def test_an_empty_folder_may_be_the_target(model, tmp_path):
    (tmp_path / "small").mkdir()
    export.export(model, "onnx", out=tmp_path)
    assert left(tmp_path / "small") == ["manifest.json", "model.onnx"]


def test_a_failed_check_raises_and_leaves_no_file(model, tmp_path, monkeypatch):
    original = engine.FORMATS["onnx"].write

    def write_another(job, source, path, text):
        for weight in job.subject.source.model.trainable_weights:
            weight.assign(weight + 0.1)
        try:
            return original(job, source, path, text)
        finally:
            for weight in job.subject.source.model.trainable_weights:
                weight.assign(weight - 0.1)

    monkeypatch.setitem(engine.FORMATS, "onnx", dataclasses.replace(engine.FORMATS["onnx"], write=write_another))
    with pytest.raises(ParityError, match=r"^small: onnx output 'logits' differs by .* at batch \d"):
        export.export(model, "onnx", out=tmp_path / "out")
    assert left(tmp_path) == []


def test_a_second_format_that_fails_takes_the_first_with_it(model, tmp_path, monkeypatch):
    def fail(job, source, path, text):
        path.write_bytes(b"half")
        raise Unsupported("no.")

    monkeypatch.setitem(engine.FORMATS, "tflite", dataclasses.replace(engine.FORMATS["tflite"], write=fail))
    with pytest.raises(Unsupported):
        export.export(model, ("onnx", "tflite"), out=tmp_path)
    assert left(tmp_path) == []


def test_a_writer_that_drops_the_metadata_is_caught(model, tmp_path, monkeypatch):
    def forgetful(job, source, path, text):
        written = engine._write_onnx(job, source, path, text)
        proto = onnx.load(path)
        del proto.metadata_props[:]
        onnx.save(proto, path)
        return Written(written.operators)

    monkeypatch.setitem(engine.FORMATS, "onnx", dataclasses.replace(engine.FORMATS["onnx"], write=forgetful))
    with pytest.raises(ExportError) as error:
        export.export(model, "onnx", out=tmp_path)
    assert str(error.value) == (
        "small: the onnx file does not hold its metadata. This is a fault of the exporter: report it."
    )


def test_importing_export_imports_neither_keras_nor_tensorflow():
    code = "import sys, export, export.runtime; print([m for m in ('keras', 'tensorflow', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_runtime_is_at_hand_without_an_import_of_its_own():
    code = "import export; print(export.runtime.load.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "load"


def test_the_artifact_is_plain_json(model, tmp_path):
    artifact = export.to_onnx(model, tmp_path / "m.onnx")
    facts = json.loads(json.dumps(artifact.as_json()))
    assert facts["path"] == str(tmp_path / "m.onnx")
    assert {"format", "path", "bytes", "operators", "max_abs_diff", "allowed", "ok"} <= facts.keys()
