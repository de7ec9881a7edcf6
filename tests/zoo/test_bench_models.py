"""`zoo.benchmarks.latency`: one model on every format and peer, and what a row says where there is no time."""

import importlib.util
import re

import keras
import numpy as np
import pytest

from tests.tiers import thorough
from zoo import registry
from zoo.benchmarks import formats, latency, machine, peers, process, side_by_side, subjects
from zoo.benchmarks.peers import Peer
from zoo.errors import InvalidInput, ParityError, UnknownName, Unsupported

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No pauses, and a machine that is asked for little."""
    monkeypatch.setattr(side_by_side, "PAUSE", 0)
    monkeypatch.setattr(side_by_side, "AT_LEAST", 0)
    monkeypatch.setattr(side_by_side, "COUNTED", 0)
    monkeypatch.setattr(machine, "SIDE", 8)
    monkeypatch.setattr(machine, "STREAMED", 2**10)


@pytest.fixture
def here(monkeypatch):
    """What would be measured in a process apart is measured in this one."""
    monkeypatch.setattr(process, "apart", lambda function, arguments, threads: latency.rows(**arguments))


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.keras"
    layers = [keras.Input((None, 3), name="x"), keras.layers.GRU(4, name="gru"), keras.layers.Dense(2, name="y")]
    keras.Sequential(layers, name="small").save(path)
    return path


def test_a_model_has_a_row_a_runtime_and_batch_relative_to_keras(here):
    rows = latency.measure("gru.har", [1, 2], rounds=1, time=5)
    assert [(row["runtime"], row["batch"]) for row in rows] == [
        (runtime, batch)
        for batch in (1, 2)
        for runtime in ("Keras predict", "Keras tf.function", "ONNX Runtime", "LiteRT")
    ]
    assert all(row["p99_ms"] >= row["p90_ms"] >= row["p50_ms"] > 0 and row["status"] == "ok" for row in rows)
    assert all(row["per_second"] == pytest.approx(1e3 * row["batch"] / row["p50_ms"], rel=0.01) for row in rows)
    assert [row["ratio_to_keras"] for row in rows if row["runtime"] == "Keras predict"] == [1.0, 1.0]
    ours = next(row for row in rows if row["runtime"] == "ONNX Runtime")
    card = registry.get("gru.har")
    assert (ours["bytes"], ours["operators"]) == (card.bytes["model.onnx"], "GRU")
    assert (ours["metric"], ours["time"]) == ("accuracy", 5)
    assert ours["score"] == pytest.approx(next(s.value for s in card.scores if s.backend == "onnx"), abs=1e-4)


def test_a_file_is_measured_with_its_quantised_forms(here, keras_file):
    rows = latency.measure(str(keras_file), [1], rounds=1, against=("litert",), time=4, quantize=("dynamic", "int16x8"))
    found = {row["runtime"]: row for row in rows}
    assert list(found) == ["ONNX Runtime", "ONNX Runtime, dynamic", "LiteRT", "LiteRT, dynamic", "LiteRT, int16x8"]
    assert found["ONNX Runtime, dynamic"]["status"] == "ok"
    assert found["LiteRT, int16x8"]["status"].startswith("does not convert: ")  # there is nothing to calibrate with
    assert found["LiteRT, int16x8"]["p50_ms"] == ""
    assert (found["ONNX Runtime"]["score"], found["ONNX Runtime"]["share_of_limit"]) == ("", "")


@thorough
def test_plain_litert_is_a_row_that_says_it_does_not_run(keras_file):
    plain, unrolled = rows_of("litert-default", keras_file)
    assert plain["status"].startswith("does not run: Select TensorFlow op(s)")
    assert (plain["operators"], plain["p50_ms"]) == ("WHILE, Flex ×3", "")
    assert unrolled["status"] == "does not convert: An unrolled layer needs a fixed length."


@thorough
def test_plain_litert_runs_layers_of_a_fixed_length_once_they_are_unrolled(tmp_path):
    layers = [keras.Input((4, 3)), keras.layers.Bidirectional(keras.layers.LSTM(5)), keras.layers.Dense(2)]
    keras.Sequential(layers, name="small").save(tmp_path / "small.keras")
    plain, unrolled = rows_of("litert-default", tmp_path / "small.keras")
    assert plain["status"].startswith("does not run: Select TensorFlow op(s)")
    assert (unrolled["status"], unrolled["operators"]) == ("ok", "")
    assert float(unrolled["difference"]) < 1e-5


@thorough
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # Keras patches NumPy for tf2onnx
def test_files_that_keras_exported_are_fed_inputs_that_nobody_named(tmp_path):
    x = [keras.Input((4, 3)), keras.Input((4, 2))]
    keras.Model(x, keras.layers.LSTM(5)(keras.layers.Concatenate()(x))).save(tmp_path / "two.keras")
    rows = [
        *rows_of("keras-export", tmp_path / "two.keras", cold=True),
        rows_of("litert-default", tmp_path / "two.keras")[1],
    ]
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert max(float(row["difference"]) for row in rows) < 1e-5


def rows_of(against, path, cold=False):
    subject = subjects.subject(str(path))
    found, inputs = peers.NAMES[against], subject.inputs(1, 4)
    known = {peer.title: side_by_side.described(subject, peer, inputs, cold) for peer in found}
    return side_by_side.timed(subject, found, known, inputs, 1, 1)


def test_an_onnx_file_is_measured_without_its_model(here, keras_file, tmp_path):
    import export

    export.to_onnx(str(keras_file), tmp_path / "small.onnx", check=False)
    rows = latency.measure(str(tmp_path / "small.onnx"), [1, 2], rounds=1, time=4)
    assert [(row["runtime"], row["batch"], row["status"]) for row in rows] == [
        ("ONNX Runtime", 1, "ok"),
        ("ONNX Runtime", 2, "ok"),
    ]
    with pytest.raises(InvalidInput) as error:
        latency.measure(str(tmp_path / "small.onnx"), [1], 1, against=("keras", "openvino"), quantize=["int8"])
    assert str(error.value) == (
        f"{tmp_path / 'small.onnx'} is compared on onnx and openvino only: keras, int8 would need the Keras model it "
        "came from. Give its .keras file or a zoo name."
    )


@needs_openvino
def test_openvino_reads_an_onnx_file_without_its_model(here, keras_file, tmp_path):
    import export

    export.to_onnx(str(keras_file), tmp_path / "small.onnx", check=False)
    rows = latency.measure(str(tmp_path / "small.onnx"), [1], rounds=1, time=4, against=["openvino"])
    assert [(row["runtime"], row["status"]) for row in rows] == [("ONNX Runtime", "ok"), ("OpenVINO", "ok")]


def test_a_tflite_file_is_measured_without_its_model(here, keras_file, tmp_path):
    import export

    export.to_tflite(str(keras_file), tmp_path / "small.tflite", check=False)
    rows = latency.measure(str(tmp_path / "small.tflite"), [1], rounds=1, time=4)
    assert [(row["runtime"], row["status"]) for row in rows] == [("LiteRT", "ok")]
    with pytest.raises(InvalidInput) as error:
        latency.measure(str(tmp_path / "small.tflite"), [1], rounds=1, against=("onnx", "litert"))
    assert str(error.value) == (
        f"{tmp_path / 'small.tflite'} is compared on litert only: onnx would need the Keras model it came from. Give "
        "its .keras file or a zoo name."
    )


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(keras_file):
    peer = Peer("Nothing", lambda *_: list, needs=("json", "no_such_package"))
    row = side_by_side.described(subjects.subject(str(keras_file)), peer, {}, cold=True)
    assert (row["status"], row["bytes"], row["cold_s"]) == ("not installed: no_such_package", "", "")


def test_a_file_of_ours_that_disagrees_stops_the_run_and_another_has_no_time(keras_file):
    subject = subjects.subject(str(keras_file))
    inputs = subject.inputs(1, 4)

    def measured(own, quantize=None):
        wrong = [np.full((1, 2), 100.0, "float32")]
        peer = Peer("Wrong", lambda *_: lambda: wrong, own=own, quantize=quantize)
        return side_by_side.timed(subject, [peer], {"Wrong": {"status": "ok"}}, inputs, 1, 1)

    with pytest.raises(ParityError) as error:
        measured(own=True)
    text = r"differs from Keras by 1\.0e\+02 \(allowed 1e-03\)"
    assert re.fullmatch(rf"{re.escape(str(keras_file))}: Wrong {text}: nothing was timed\.", str(error.value))
    (row,) = measured(own=False)
    assert re.fullmatch(rf"disagrees: {text}", row["status"]) and row["p50_ms"] == ""
    (row,) = measured(own=True, quantize="dynamic")
    assert re.fullmatch(r"disagrees: differs from Keras by \S+e\+0\d \(allowed 5e-02\)", row["status"])


def test_another_shape_is_a_disagreement(keras_file):
    subject = subjects.subject(str(keras_file))
    peer = Peer("Wrong", lambda *_: lambda: [np.zeros((2, 2), "float32")])
    (row,) = side_by_side.timed(subject, [peer], {"Wrong": {"status": "ok"}}, subject.inputs(1, 4), 1, 1)
    assert row["status"] == "disagrees: shapes [(2, 2)], not [(1, 2)]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": [0]}, "Batch sizes [0] must be 1 or more."),
        ({"threads": [1, -2]}, "Numbers of threads [1, -2] must be 1 or more."),
    ],
)
def test_sizes_below_one_are_refused(options, message):
    with pytest.raises(InvalidInput) as error:
        latency.measure("gru.har", **{"batches": [1], "rounds": 1} | options)
    assert str(error.value) == message


def test_inputs_take_the_window_of_the_card_and_tokens_are_no_noise():
    subject = subjects.Subject("gru.har")
    window = subject.inputs(2)["frames"]
    assert window.shape == (2, registry.get("gru.har").window, 9) and window.std() == pytest.approx(1, abs=0.1)
    with pytest.raises(InvalidInput, match=r"^Batch 1 and time 0 must be 1 or more\.$"):
        subject.inputs(1, 0)


def test_tokens_are_any_that_the_model_knows_but_padding(tmp_path):
    layers = [keras.Input((None,), dtype="int32", name="tokens"), keras.layers.Embedding(9, 2), keras.layers.GRU(3)]
    keras.Sequential(layers, name="texts").save(tmp_path / "texts.keras")
    tokens = subjects.subject(str(tmp_path / "texts.keras")).inputs(4, 200)["tokens"]
    assert (tokens.shape, tokens.dtype, set(tokens.ravel())) == ((4, 200), "int32", set(range(1, 9)))


def test_unknown_peers_and_forms_are_named_with_the_nearest():
    with pytest.raises(UnknownName) as error:
        peers.chosen(["openvno"])
    assert str(error.value) == (
        "Unknown peer 'openvno'. Did you mean 'openvino'? The peers are keras, onnx, litert, saved-model, "
        "keras-export, litert-default, torch, openvino."
    )
    with pytest.raises(UnknownName) as error:
        peers.chosen(["keras"], ["dynamik"])
    assert str(error.value) == (
        "Unknown quantisation 'dynamik'. Did you mean 'dynamic'? Use some of dynamic, float16, int8, int16x8."
    )


@pytest.mark.parametrize("title", ["ONNX Runtime", "LiteRT", pytest.param("OpenVINO", marks=needs_openvino)])
def test_a_fresh_process_comes_to_an_answer_without_tensorflow(title, keras_file):
    subject = subjects.subject(str(keras_file))
    code = peers.of(title).cold(subject, subject.inputs(1, 4))
    blocked = "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
    found = process.cold_start(blocked + code)
    assert 0 < found["cold_cpu_s"] < 60 and 10 < found["peak_mib"] < 400


@needs_openvino
def test_openvino_runs_our_file(keras_file):
    subject, peer = subjects.subject(str(keras_file)), peers.of("OpenVINO")
    inputs = subject.inputs(2, 4)
    (got,) = peer.open(subject, inputs, 1)()
    np.testing.assert_allclose(got, keras.ops.convert_to_numpy(subject.model(inputs["x"])), atol=1e-5)


@needs_torch
@pytest.mark.parametrize("name", ["gru.har", "bilstm.har", "stacked_lstm.har"])
def test_the_twin_in_pytorch_agrees_and_survives_pickling(name, tmp_path):
    import torch

    from zoo.benchmarks.torch_translation import twin

    subject = subjects.Subject(name)
    inputs = subject.inputs(2, 20)
    torch.save(twin(subject.model), tmp_path / "twin.pt")
    (got,) = torch.load(tmp_path / "twin.pt", weights_only=False)(list(inputs.values()))
    want = keras.ops.convert_to_numpy(subject.model(inputs["frames"], training=False))
    np.testing.assert_allclose(got, want, atol=1e-5)


@needs_torch
def test_a_layer_without_a_twin_in_pytorch_is_named():
    from zoo.benchmarks.torch_translation import twin

    model = keras.Sequential([keras.Input((None, 3)), keras.layers.SimpleRNN(4, name="simple")])
    with pytest.raises(Unsupported) as error:
        twin(model)
    assert str(error.value) == "Layer 'simple' is a SimpleRNN, which has no twin in PyTorch here."
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4, reset_after=False, name="old")])
    with pytest.raises(Unsupported) as error:
        twin(model)
    assert str(error.value) == "Layer 'old' is no standard LSTM or GRU, which has no twin in PyTorch here."


def test_what_an_error_says_goes_on_behind_a_colon():
    assert formats.first_line(RuntimeError("It failed:\n\n Loop is unknown.\nmore")) == "It failed: Loop is unknown."
    assert formats.first_line(RuntimeError("It failed:")) == "It failed:"
