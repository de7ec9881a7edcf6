"""Every registered model faces the same tests. An exemption carries its reason and names a real model."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

import export
import zoo
from export import backends
from export.backends import BACKENDS, cached
from export.runtime import load as load_onnx
from tests.conformance.raw_input import raw_input
from tests.tiers import thorough
from zoo import loading, recipes, registry
from zoo.benchmarks import results
from zoo.cli import card
from zoo.errors import Unsupported

NAMES = zoo.list_models()
FORMATS = ("onnx", "tflite", "saved_model")
NATIVE = {  # what the files of a classifier of recordings must hold, by architecture
    "lstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 1}),
    "stacked_lstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 2}),
    "bilstm": ("LSTM", {"UNIDIRECTIONAL_SEQUENCE_LSTM": 2}),
    "gru": ("GRU", {}),
}
FROM_THE_END = "the segments of the look-back are cut from its end"
NOT_STREAMING = {
    "bilstm.ewt_pos": "the backward direction needs the whole sentence",
    "bilstm.fsdd": "the backward direction needs the whole clip",
    "bilstm.har": "the backward direction needs the whole window",
    "bilstm.imdb": "the backward direction needs the whole review",
    "bilstm.names": "the backward direction needs the whole name",
    "bilstm.sst2": "the backward direction needs the whole sentence",
    "bilstm_ctc.fsdd": "the backward direction needs the whole string of digits",
    "gru.etth1_192": FROM_THE_END,
    "gru.etth1_336": FROM_THE_END,
    "gru.etth1_720": FROM_THE_END,
    "gru.etth1_96": FROM_THE_END,
    "gru.ettm1_96": FROM_THE_END,
    "gru.fsdd": "the frames of the end reach over the end of the clip",
    "gru.imdb": "mean and maximum over time need the whole review",
    "gru.smnist": "the layers above the first read the steps below them in groups",
    "gru_attention.multi30k_de_en": "the encoder reads the sentence from its end, too",
    "gru_attention.multi30k_en_de": "the encoder reads the sentence from its end, too",
    "lstm.etth1_96": FROM_THE_END,
    "lstm.imdb": "mean and maximum over time need the whole review",
    "lstm.pmnist": "the order of reading needs the whole image",
    "lstm.fsdd": "the frames of the end reach over the end of the clip",
    "stacked_lstm.imdb": "mean and maximum over time need the whole review",
    "stacked_lstm.fsdd": "the frames of the end reach over the end of the clip",
    "lstm_autoencoder.ecg5000": "the beat is drawn again once it is whole",
}
pytestmark = pytest.mark.usefixtures("small_probes")  # `publish` has checked every form on all of them
FIRST = {  # one of each family, and of the plain classifiers one of each architecture
    (spec.family, spec.architecture if spec.family == "classifier" else ""): spec.name
    for spec in map(zoo.describe, reversed(NAMES))
}
EXPORTED = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FIRST.values() else thorough) for name in NAMES], indirect=True
)
BUDGET = {"text generation": 12, "translation": 12}  # MiB of all files; 8 for every other task
WHOLE_BUDGET = 80  # MiB of all models


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    """The Keras model, which is read and run here and never changed: one object, whoever asks for it by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load", {name: loading.load(name)}.__getitem__)
        yield zoo.load(name)


@pytest.fixture(scope="module")
def exported(name, model, tmp_path_factory, small_probes):
    """{format: its entry in manifest.json} of one model, exported once for all tests of this module; pipelines find
    these files where they look for exported ones."""
    out = tmp_path_factory.mktemp("exports")
    paths = {artifact.format: artifact.path for artifact in export.export(name, FORMATS, out=out)}
    entries = json.loads((out / name / "manifest.json").read_text())["artifacts"]

    def found(model, format, quantize, part="model"):
        written = (model, quantize, part) == (name, None, "model")
        return paths[format] if written else cached(model, format, quantize, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(out))
        patch.setattr(backends, "cached", found)
        yield {entry["format"]: entry for entry in entries}


def sample(spec, batch=2):
    """One array an input: small numbers, or tokens."""
    rng = np.random.default_rng(0)

    def array(tensor):
        free = {"batch": batch, "time": spec.window or 50}
        sizes = zip(tensor.shape, tensor.axes, strict=True)
        shape = [free.get(axis, 12) if size is None else size for size, axis in sizes]
        if tensor.dtype.startswith("int"):
            below = spec.config["alphabet" if tensor.name == "characters" else "vocabulary"]
            return rng.integers(1, below, shape).astype(tensor.dtype)
        return rng.normal(0, 0.3, shape).astype(tensor.dtype)

    return {tensor.name: array(tensor) for tensor in spec.signature.inputs}


def test_every_exemption_names_a_real_model():
    assert NOT_STREAMING.keys() <= set(NAMES)


def test_all_models_together_keep_their_budget():
    assert sum(sum(zoo.describe(name).bytes.values()) for name in NAMES) <= WHOLE_BUDGET * 1024**2


def test_the_card_is_complete(name):
    spec = zoo.describe(name)
    texts = (spec.summary, spec.intended_use, spec.preprocessing, spec.recipe, spec.commit, spec.dataset.licence)
    assert all(texts)
    assert spec.limits and spec.dataset.url.startswith("https://")
    assert all(item.what and item.source for item in spec.published)
    assert spec.score.split == "test" and spec.score.value in spec.score.seeds
    assert {score.backend for score in spec.scores} == set(BACKENDS)
    assert len(spec.commit) == 40 and (registry.ROOT.parents[1] / spec.recipe).is_file()
    assert "TODO" not in (registry.folder(name) / "card.json").read_text()


def test_the_card_says_what_its_recipe_says(name):
    spec = registry.get(name)
    assert card.with_texts(spec, recipes.get(name)) == spec, "run python -m zoo.cli.card"


def test_the_benchmark_of_the_zoo_is_of_the_models_as_they_are():
    rows = [row for row in results.read("zoo") if row["runtime"] == "ONNX Runtime"]
    assert [row["model"] for row in rows] == NAMES
    for row in rows:
        spec = registry.get(row["model"])
        shipped = next(s for s in spec.scores if (s.backend, s.quantize, s.split) == ("onnx", None, "test"))
        assert float(row["score"]) == round(shipped.value, 4), row["model"]
        assert int(row["bytes"]) == spec.bytes.get("model.onnx", int(row["bytes"])), row["model"]


def test_the_folder_holds_what_the_card_says_and_keeps_its_budget(name):
    folder, spec = registry.folder(name), zoo.describe(name)
    assert {path.name for path in folder.iterdir()} == {"card.json", *spec.files}
    for file, digest in spec.files.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
        assert (folder / file).stat().st_size == spec.bytes[file]
    assert sum(spec.bytes.values()) <= BUDGET.get(spec.task, 8) * 1024**2
    if name.endswith(".har"):
        assert spec.bytes["model.onnx"] < 1024**2


def test_the_shipped_onnx_files_of_parts_agree_with_the_shipped_weights(name, model):
    spec = zoo.describe(name)
    if "model.onnx" in spec.files:
        pytest.skip("the model is one file")
    for part in zoo.pipeline(name).PARTS:
        runner, keras_part = load_onnx(registry.file(name, f"{part}.onnx")), backends.of_keras(model, part)
        x = sample(dataclasses.replace(spec, signature=runner.signature))
        expected = keras_part.run(x)
        for output, value in runner.run(x).items():
            scale = max(1.0, float(np.abs(expected[output]).max()))
            np.testing.assert_allclose(value, expected[output], rtol=0, atol=1e-4 * scale)
        assert runner.metadata.parity.max_abs_diff <= runner.metadata.parity.allowed


def test_the_shipped_onnx_file_agrees_with_the_shipped_weights(name, model):
    spec, x = zoo.describe(name), sample(zoo.describe(name))
    if "model.onnx" not in spec.files:
        pytest.skip("the model is several files, or one that streams")
    runner = load_onnx(name)
    answer = runner.run(x)
    expected = model(x if len(x) > 1 else next(iter(x.values())))
    expected = expected if isinstance(expected, list | tuple) else [expected]
    for tensor, value in zip(spec.signature.outputs, expected, strict=True):
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(answer[tensor.name], np.asarray(value), atol=1e-4 * scale)
    assert runner.metadata.labels == spec.labels
    assert runner.metadata.parity.max_abs_diff <= runner.metadata.parity.allowed


@EXPORTED
def test_every_export_is_native_and_within_what_is_allowed(name, exported):
    spec = zoo.describe(name)
    assert set(exported) == set(FORMATS)
    for entry in exported.values():
        assert entry["parity"]["max_abs_diff"] <= entry["parity"]["allowed"] <= 1e-4
    onnx, tflite = exported["onnx"]["operators"], exported["tflite"]["operators"]
    assert {"LSTM", "GRU"} & set(onnx) and not {"Loop", "Scan"} & set(onnx)
    assert not [operator for operator in tflite if operator.startswith(("Flex", "CUSTOM"))]
    if spec.family == "classifier":
        operator, fused = NATIVE[spec.architecture]
        assert onnx[operator] == len(spec.config["units"])
        assert {operator: tflite.get(operator) for operator in fused} == fused


@EXPORTED
def test_every_backend_gives_the_same_answer_twice(name, exported, tmp_path):
    raw = raw_input(zoo.describe(name), tmp_path)
    answers = {}
    for backend in BACKENDS:
        pipeline = zoo.pipeline(name, backend)
        answers[backend] = [dataclasses.asdict(item) for item in pipeline(raw)]
        assert answers[backend] == [dataclasses.asdict(item) for item in pipeline(raw)]
        assert answers[backend], "a sample the model has nothing to say of proves nothing"
    for backend, found in answers.items():
        alike(found, answers["keras"], backend)


def alike(ours, theirs, where):
    """Texts are equal, numbers agree to a thousandth."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            alike(ours[key], theirs[key], f"{where} {key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            alike(one, other, f"{where} {index}")
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, abs=1e-3, rel=1e-3), where
    else:
        assert ours == theirs, where


def test_streaming_works_exactly_where_it_is_promised(name, model, tmp_path):
    if name in NOT_STREAMING:
        with pytest.raises(Unsupported, match="cannot stream"):
            export.to_onnx(name, tmp_path / "stream.onnx", streaming=True)
        assert not list(tmp_path.iterdir())
        return
    spec = zoo.describe(name)
    if "streaming.onnx" in spec.files:
        path = registry.file(name, "streaming.onnx")
    else:
        path = export.to_onnx(name, tmp_path / "stream.onnx", streaming=True).path
    runner = load_onnx(path)
    stream = runner.stream(batch=1)
    (x,) = sample(spec, batch=1).values()
    answers = [stream.push(chunk) for chunk in np.split(x, [1, 8, 20], axis=1)]
    whole = np.asarray(model(x))
    if "time" in runner.signature.outputs[0].axes:  # one answer a step
        np.testing.assert_allclose(np.concatenate(answers, 1), whole, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(answers[-1], whole, rtol=1e-5, atol=1e-5)
