"""What the engine refuses, in one line each, with nothing left behind."""

import dataclasses
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import export
from export import engine
from tests.export.small import card, left
from zoo.errors import InvalidInput, UnknownName, Unsupported, UntrustedFile, ZooError

X = np.random.default_rng(0).standard_normal((3, 6, 4)).astype("float32")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"to": ("onxx",)},
            UnknownName,
            "Unknown format 'onxx'. Did you mean 'onnx'? The formats are onnx, tflite, saved_model.",
        ),
        ({"to": ()}, InvalidInput, "No format given. The formats are onnx, tflite, saved_model."),
        (
            {"quantize": "int4"},
            UnknownName,
            "Unknown quantisation 'int4'. Did you mean 'int8'? Use one of dynamic, float16, int8, int16x8, or None.",
        ),
        (
            {"chunk": 0},
            InvalidInput,
            "chunk is the number of steps a streaming TFLite file takes at a time: at least 1, not 0.",
        ),
        (
            {"chunk": 5},
            InvalidInput,
            "chunk=5 is for streaming files alone. Leave it out, or give streaming=True.",
        ),
        (
            {"calibration": [{"x": X}]},
            InvalidInput,
            "calibration is for TFLite files in full integers. Leave it out, or give quantize='int8'.",
        ),
    ],
)
def test_an_argument_that_is_none_of_the_known_is_refused(model, tmp_path, arguments, error, message):
    with pytest.raises(error) as raised:
        export.export(**{"model": model, "to": "onnx", "out": tmp_path} | arguments)
    assert str(raised.value) == message
    assert left(tmp_path) == []


@pytest.fixture
def int8(monkeypatch):
    form = dataclasses.replace(engine.FORMATS["onnx"], calibrated=("int8",))
    monkeypatch.setitem(engine.FORMATS, "onnx", form)


def test_a_zoo_model_brings_its_calibration_data(model, tmp_path, monkeypatch):
    from zoo import datasets
    from zoo.datasets import Split, Splits

    seen, split = [], Split(np.arange(300 * 8, dtype="float32").reshape(300, 2, 4), np.zeros(300))

    def listen(job, source, path, text):
        seen.extend(job.calibration)
        return engine._write_onnx(job, source, path, text)

    known = dataclasses.replace(datasets.get("adding"), load=lambda: Splits(split, split, split))
    monkeypatch.setattr(datasets, "get", lambda name: known)
    form = dataclasses.replace(engine.FORMATS["onnx"], calibrated=("int8",), write=listen)
    monkeypatch.setitem(engine.FORMATS, "onnx", form)
    export.to_onnx(model, tmp_path / "m.onnx", spec=card(), quantize="int8")
    assert (len(seen), seen[0]["frames"].shape) == (100, (1, 2, 4))
    assert seen[-1]["frames"][0, 0, 0] == 297 * 8


@pytest.mark.usefixtures("int8")
@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (
            None,
            "quantize='int8' needs calibration data: calibration=[{'input name': array}, …], "
            "some 100 batches of what the model will see.",
        ),
        ([], "calibration holds no batch. Give some 100 batches of what the model will see."),
        (
            [{"frames": X}, {"frames": X[..., :2]}],
            "Calibration batch 1: Input 'frames' has size 2 on axis 'feature' (shape [3, 6, 2]); "
            "expected frames float32 [batch, time, 4].",
        ),
    ],
)
def test_int8_needs_calibration_data_that_fit(model, tmp_path, calibration, message):
    with pytest.raises(InvalidInput) as error:
        export.export(model, "onnx", out=tmp_path, quantize="int8", calibration=calibration)
    assert str(error.value) == message


def test_a_format_that_cannot_be_quantised_so_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setitem(engine.FORMATS, "onnx", dataclasses.replace(engine.FORMATS["onnx"], quantize=("dynamic",)))
    with pytest.raises(InvalidInput) as error:
        export.export(model, "onnx", out=tmp_path, quantize="float16")
    assert str(error.value) == (
        "Format 'onnx' cannot be quantised to 'float16'; it takes 'dynamic'. "
        "Leave 'onnx' out, or export it without quantisation."
    )


def test_a_target_that_exists_is_refused_and_kept(model, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("keep")
    (tmp_path / "m.onnx").write_text("keep")
    for run, target in (
        (lambda: export.export(model, "onnx", out=tmp_path), tmp_path / "small"),
        (lambda: export.to_onnx(model, tmp_path / "m.onnx"), tmp_path / "m.onnx"),
    ):
        with pytest.raises(InvalidInput) as error:
            run()
        assert str(error.value) == f"{target} exists already. Remove it, or export to another place."
    assert left(tmp_path) == ["m.onnx", "small"]
    assert (tmp_path / "small" / "mine.txt").read_text() == "keep"


def test_a_place_that_cannot_be_written_is_refused(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput) as error:
        export.export(model, "onnx", out=tmp_path / "file" / "out")
    assert str(error.value) == f"Cannot write to {tmp_path}/file: Not a directory. Export to another place."


def test_a_file_of_another_suffix_is_refused(model, tmp_path):
    with pytest.raises(InvalidInput) as error:
        export.to_onnx(model, tmp_path / "model.bin")
    assert str(error.value) == "Format 'onnx' needs a path that ends in .onnx, not 'model.bin'."
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(InvalidInput) as error:
        export.to_onnx(model, tmp_path / "model.onnx")
    assert str(error.value) == f"{tmp_path}/model.onnx is a folder. Remove it, or export to another place."


def test_a_name_that_is_no_file_name_is_refused(tmp_path):
    with pytest.raises(InvalidInput) as error:
        export.export(keras.Sequential([keras.Input((6, 4)), layers.LSTM(2)], name=".."), "onnx", out=tmp_path / "out")
    assert str(error.value) == "Model name '..' is no file name. Rename the model: keras.Model(…, name='my_model')."


def test_a_type_that_no_file_holds_is_refused(tmp_path):
    bytes_in = keras.Input((6,), dtype="uint8", name="bytes")
    model = keras.Model(bytes_in, layers.LSTM(2)(layers.Embedding(256, 3)(bytes_in)), name="reads")
    with pytest.raises(Unsupported) as error:
        export.to_onnx(model, tmp_path / "m.onnx")
    assert str(error.value) == (
        "Model 'reads' has the uint8 input 'bytes'; files hold float32, float16, int8, int32, int64, bool. "
        "Give the input one of these types and cast inside the model."
    )
    counts = keras.Input((6,), sparse=True, name="counts")
    with pytest.raises(Unsupported) as error:
        export.to_onnx(keras.Model(counts, layers.Dense(2)(counts), name="reads"), tmp_path / "m.onnx")
    assert str(error.value) == "Model 'reads' has the sparse input 'counts': make it dense, then export."


def test_a_model_may_answer_with_one_number(tmp_path):
    x = keras.Input((6, 4))
    model = keras.Model(x, keras.ops.mean(layers.LSTM(2)(x)), name="mean")
    assert export.to_onnx(model, tmp_path / "m.onnx").ok


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("[" * 100_000, "its configuration is nested too deeply"),
        ("[]", "its configuration is no JSON object"),
    ],
)
def test_a_strange_configuration_is_refused(tmp_path, config, why):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(UntrustedFile) as error:
        export.export(path, "onnx", out=tmp_path / "out")
    assert str(error.value) == f"{path} is damaged or not a .keras file: {why}. Save the model again."


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ([1], "Cannot export a list. Give a keras.Model, the path of a .keras file, or a zoo name."),
        ("lost.keras", "There is no file 'lost.keras'. Check the path."),
        (
            "model.h5",
            "'model.h5' is not a .keras file. Save the model with model.save('name.keras') and export that.",
        ),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, subject, message):
    with pytest.raises(InvalidInput) as error:
        export.export(subject, "onnx", out=tmp_path)
    assert str(error.value) == message


def test_a_lambda_in_a_file_is_refused_by_name(tmp_path):
    inputs = keras.Input((3, 4))
    path = tmp_path / "bad.keras"
    keras.Model(inputs, layers.LSTM(2)(layers.Lambda(lambda x: x * 2, name="double")(inputs))).save(path)
    with pytest.raises(UntrustedFile) as error:
        export.export(path, "onnx", out=tmp_path / "out")
    assert str(error.value) == (
        f"{path} holds Python code in layer 'double' (Lambda), which is never loaded from a file. "
        "Replace it by a layer class or keras.ops, or build the model in code and export the object."
    )


def test_a_custom_class_in_a_file_is_refused_with_the_way_round(tmp_path):
    class Twice(layers.Layer):
        def call(self, x):
            return x * 2

    path = tmp_path / "own.keras"
    inputs = keras.Input((3, 4))
    keras.Model(inputs, layers.LSTM(2)(Twice()(inputs))).save(path)
    with pytest.raises(InvalidInput) as error:
        export.export(path, "onnx", out=tmp_path / "out")
    start, end = (
        f"{path} holds a class that Keras cannot find: ",
        (" Load it yourself with keras.saving.load_model(path, custom_objects=…) and export the model."),
    )
    assert str(error.value).startswith(start)
    assert str(error.value).endswith(end)


def test_a_truncated_keras_file_is_refused(model, tmp_path):
    path = tmp_path / "cut.keras"
    model.save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UntrustedFile) as error:
        export.export(path, "onnx", out=tmp_path / "out")
    assert str(error.value) == f"{path} is damaged or not a .keras file: File is not a zip file. Save the model again."


def test_a_keras_file_without_weights_is_refused(model, tmp_path):
    path, cut = tmp_path / "m.keras", tmp_path / "cut.keras"
    model.save(path)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(cut, "w") as part:
        for name in ("config.json", "metadata.json"):
            part.writestr(name, whole.read(name))
    with pytest.raises(UntrustedFile, match=r"is not a \.keras file that Keras"):
        export.export(cut, "onnx", out=tmp_path / "out")


def test_weights_that_are_not_finite_are_refused(model, tmp_path):
    kernel = model.layers[-1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(InvalidInput) as error:
        export.export(model, "onnx", out=tmp_path)
    assert str(error.value) == (
        "Weight 'logits/kernel' of model 'small' holds NaN or infinity. Export a model that trained well."
    )


def test_an_unbuilt_model_is_refused(tmp_path):
    with pytest.raises(Unsupported):
        export.export(keras.Sequential([layers.LSTM(3)]), "onnx", out=tmp_path)
    assert left(tmp_path) == []


def test_every_refusal_is_one_line(model, tmp_path):
    for arguments in ({"to": "x"}, {"chunk": -1}, {"quantize": "int16x8"}, {"model": 3}):
        with pytest.raises(ZooError) as error:
            export.export(**{"model": model, "to": "onnx", "out": tmp_path} | arguments)
        assert "\n" not in str(error.value)
