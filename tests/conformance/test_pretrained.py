"""Every registered model faces the same tests. An exemption carries its reason and names a real model."""

import hashlib

import numpy as np
import pytest

import export
import zoo
from export.backends import BACKENDS
from export.runtime import load as load_onnx
from zoo import registry
from zoo.errors import Unsupported

NAMES = zoo.list_models()
NATIVE = {  # what the files of each architecture must hold
    "lstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 1}),
    "stacked_lstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 2}),
    "bilstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 2}),
    "gru": ("GRU", {}),
}
NOT_STREAMING = {
    "bilstm.har": "the backward direction needs the whole window",
}


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def exported(name, tmp_path_factory):
    """{format: artifact} of one model."""
    return {artifact.format: artifact for artifact in export.export(name, out=tmp_path_factory.mktemp("out"))}


def sample(spec, batch=2):
    shape = (batch, spec.window or 50, spec.signature.inputs[0].shape[-1])
    return np.random.default_rng(0).normal(0, 0.3, shape).astype("float32")


def test_every_exemption_names_a_real_model():
    assert NOT_STREAMING.keys() <= set(NAMES)


def test_the_card_is_complete(name):
    spec = zoo.describe(name)
    texts = (spec.summary, spec.intended_use, spec.preprocessing, spec.recipe, spec.commit, spec.dataset.licence)
    assert all(texts)
    assert spec.limits and spec.published and spec.dataset.url.startswith("https://")
    assert spec.score.split == "test" and spec.score.value in spec.score.seeds
    assert len(spec.commit) == 40 and (registry.ROOT.parents[1] / spec.recipe).is_file()


def test_the_folder_holds_what_the_card_says_and_keeps_its_budget(name):
    folder, spec = registry.folder(name), zoo.describe(name)
    assert {path.name for path in folder.iterdir()} == {"card.json", *spec.files}
    for file, digest in spec.files.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
        assert (folder / file).stat().st_size == spec.bytes[file]
    assert sum(spec.bytes.values()) < 8 * 1024**2
    if name.endswith(".har"):
        assert spec.bytes["model.onnx"] < 1024**2


def test_the_shipped_onnx_file_agrees_with_the_shipped_weights(name):
    spec, x = zoo.describe(name), sample(zoo.describe(name))
    runner = load_onnx(name)
    answer = runner.run({spec.signature.input_names[0]: x})[spec.signature.output_names[0]]
    np.testing.assert_allclose(answer, np.asarray(zoo.load(name)(x)), atol=1e-4)
    assert runner.metadata.labels == spec.labels
    assert runner.metadata.parity.max_abs_diff <= runner.metadata.parity.allowed


def test_every_export_is_native_and_within_a_ten_thousandth(name, exported):
    onnx_operator, fused = NATIVE[zoo.describe(name).architecture]
    assert set(exported) == {"onnx", "tflite", "saved_model"}
    assert all(artifact.ok and artifact.max_abs_diff <= 1e-4 for artifact in exported.values())
    onnx, tflite = exported["onnx"].operators, exported["tflite"].operators
    layers = len(zoo.describe(name).config["units"])
    assert onnx[onnx_operator] == layers and "Loop" not in onnx and "Scan" not in onnx
    assert {operator: tflite.get(operator) for operator in fused} == fused
    assert not [operator for operator in tflite if operator.startswith(("Flex", "CUSTOM"))]


def test_every_backend_gives_the_same_answer_twice(name, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = zoo.describe(name)
    x = sample(spec)
    answers = {}
    for backend in BACKENDS:
        pipeline = zoo.pipeline(name, backend)
        answers[backend] = pipeline(x)
        for first, second in zip(answers[backend], pipeline(x), strict=True):
            assert first == second
    for backend, predictions in answers.items():
        for ours, keras in zip(predictions, answers["keras"], strict=True):
            assert ours.label == keras.label, backend
            assert ours.score == pytest.approx(keras.score, abs=1e-4), backend


def test_streaming_works_exactly_where_it_is_promised(name, tmp_path):
    if name in NOT_STREAMING:
        with pytest.raises(Unsupported, match="cannot stream"):
            export.to_onnx(name, tmp_path / "stream.onnx", streaming=True)
        assert not list(tmp_path.iterdir())
        return
    spec = zoo.describe(name)
    x = sample(spec, batch=1)
    export.to_onnx(name, tmp_path / "stream.onnx", streaming=True)
    stream = load_onnx(tmp_path / "stream.onnx").stream(batch=1)
    answers = [stream.push(chunk) for chunk in np.split(x, [1, 8, 50], axis=1)]
    last = answers[-1] if isinstance(answers[-1], np.ndarray) else answers[-1][spec.signature.output_names[0]]
    np.testing.assert_allclose(last, np.asarray(zoo.load(name)(x)), atol=1e-5)
