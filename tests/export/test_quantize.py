"""Quantised files: smaller, right within what is allowed, with the operators promised, or refused in one sentence."""

import dataclasses
import subprocess
import sys
from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

import export
from export import manifest, micro, quantize, runtime
from export.check import ALLOWED, Checked, check, check_file
from export.executors import KerasExecutor
from export.lowering import source
from export.onnx_graph import walk
from export.tflite_integers import preparation
from tests.export.handmade import SCORES, NumpyExecutor
from tests.export.onnx_parity import randomised
from tests.tiers import some
from zoo import datasets, registry
from zoo.cli.rounding import round_weights
from zoo.errors import DataMissing, InvalidInput, ParityError, Unsupported
from zoo.layers import TiedEmbedding

STEPS, FEATURES = 20, 16
SEQUENCES = {"return_sequences": True}
GRU_NOTE = (
    "ONNX Runtime has no int8 GRU or SimpleRNN: the weights of 'memory' are int8 in the file and float32 once it is "
    "loaded, so the file is smaller and as fast as float32. A GRU with reset_after computes in integers from 384 units "
    "on; below, that was measured to be slower (zoo/benchmarks/results/quantized.csv)."
)
here = pytest.mark.usefixtures("converted_here")
needs_micro = pytest.mark.skipif(not micro.installed(), reason="tflite-micro has wheels for Linux on x86-64 only")


def _model(*stack, time=None, scale=0.1):
    x = keras.Input((time, FEATURES), name="x")
    y = x
    for layer in stack:
        y = layer(y)
    return randomised(keras.Model(x, y, name="m"), scale=scale)


def _x(batch=2, seed=0, steps=STEPS):
    return np.random.default_rng(seed).standard_normal((batch, steps, FEATURES)).astype("float32")


def _operators(path):
    return Counter(node.op_type for node in walk(onnx.load(path).graph))


def _stored(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def _once_loaded(path, folder):
    """The operators ONNX Runtime is left with."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return _operators(folder / "loaded.onnx")


def test_an_lstm_of_128_units_is_3_5_times_smaller_and_computes_in_integers(tmp_path):
    model = _model(layers.LSTM(128), layers.Dense(32))
    full = export.to_onnx(model, tmp_path / "full.onnx")
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize="dynamic")
    assert full.bytes > 3.5 * small.bytes
    assert small.operators == {
        "Add": 1, "Cast": 1, "DynamicQuantizeLSTM": 1, "DynamicQuantizeLinear": 1, "MatMulInteger": 1, "Mul": 2,
        "Squeeze": 1, "Transpose": 1,
    }  # fmt: skip
    assert {item.domain: item.version for item in onnx.load(small.path).opset_import} == {"": 17, "com.microsoft": 1}
    assert (small.ok, small.allowed, small.notes) == (True, 0.05, ())
    assert 0 < small.max_abs_diff < 0.01


def test_the_file_is_as_near_to_keras_as_that_of_onnx_runtimes_own_quantiser(tmp_path):
    model = _model(layers.LSTM(64, **SEQUENCES))
    full = export.to_onnx(model, tmp_path / "full.onnx")
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize="dynamic")
    quantize_dynamic(full.path, tmp_path / "theirs.onnx")
    theirs = runtime.load(tmp_path / "theirs.onnx")
    (got,), (their,) = (executor.run({"x": _x()}).values() for executor in (runtime.load(small.path), theirs))
    errors = [np.sqrt(np.mean(np.square(values - model(_x())))) for values in (got, their)]
    assert 0 < errors[0] < 1.5 * errors[1]


def test_the_metadata_travels_and_two_runs_give_the_same_bytes(tmp_path):
    model = _model(layers.LSTM(16), layers.Dense(2))
    first, second = (export.to_onnx(model, tmp_path / name, quantize="dynamic") for name in ("a.onnx", "b.onnx"))
    assert first.path.read_bytes() == second.path.read_bytes()
    metadata = runtime.load(first.path).metadata
    assert (metadata.name, metadata.quantize, metadata.format) == ("m", "dynamic", "onnx")
    assert metadata.parity == manifest.Parity(first.max_abs_diff, 0.05)


def test_no_product_with_two_neighbouring_weights_leaves_int16(tmp_path):
    model = _model(layers.LSTM(32), layers.Dense(64), scale=1.0)
    artifact = export.to_onnx(model, tmp_path / "m.onnx", quantize="dynamic", check=False)
    factors = [value for value in _stored(artifact.path).values() if value.dtype == np.int8 and value.ndim > 1]
    assert len(factors) == 3
    for factor in factors:
        pairs = factor[..., 1:, :].astype("int64"), factor[..., :-1, :].astype("int64")
        for sign in (1, -1):
            sums = np.maximum(sign * pairs[0], 0) + np.maximum(sign * pairs[1], 0)
            assert 255 * sums.max() <= np.iinfo("int16").max
        assert np.abs(factor.astype("int64")).max() > 63


STACKS = {
    "stacked and bidirectional": (layers.Bidirectional(layers.LSTM(24, **SEQUENCES)), layers.LSTM(20)),
    "masked": (layers.Masking(), layers.LSTM(24, **SEQUENCES), layers.Bidirectional(layers.GRU(24), merge_mode="sum")),
    "convolution": (layers.Conv1D(16, 5, padding="causal"), layers.SimpleRNN(40, **SEQUENCES), layers.Dense(32)),
    "a cell without an operator": (layers.RNN(layers.LSTMCell(32, activation="hard_tanh")),),
}


@pytest.fixture(scope="module", params=STACKS)
def whole(request, tmp_path_factory):
    """A model and its file in float32."""
    model = _model(*STACKS[request.param])
    return model, export.to_onnx(model, tmp_path_factory.mktemp("full") / "full.onnx")


@pytest.mark.parametrize("kind", some(["dynamic", "float16"]))
def test_whatever_stands_around_the_file_is_within_its_allowance_and_smaller(whole, kind, tmp_path):
    model, full = whole
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize=kind)
    assert small.ok and full.max_abs_diff < small.max_abs_diff <= small.allowed == ALLOWED[kind]
    assert small.bytes < (0.6 if kind == "dynamic" else 0.75) * full.bytes
    onnx.checker.check_model(small.path, full_check=True)


def test_a_gru_is_small_in_the_file_and_the_float_node_once_it_is_loaded(tmp_path):
    model = _model(layers.GRU(64, name="memory"))
    full = export.to_onnx(model, tmp_path / "full.onnx")
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize="dynamic")
    assert full.bytes > 3 * small.bytes
    assert small.notes == (GRU_NOTE,)
    assert small.operators == {"Cast": 2, "GRU": 1, "Mul": 2, "Squeeze": 1, "Transpose": 1}
    assert (
        _once_loaded(small.path, tmp_path)
        == _once_loaded(full.path, tmp_path)
        == {"Transpose": 1, "GRU": 1, "Squeeze": 1}
    )
    for name, value in _stored(full.path).items():
        if name in ("memory_W", "memory_R"):
            stored = _stored(small.path)
            again = stored[f"{name}_int8"] * stored[f"{name}_scale"]
            np.testing.assert_allclose(again, value, atol=np.abs(value).max() / 254 * 1.001)


def test_a_file_without_an_lstm_is_plain_onnx(tmp_path):
    model = _model(layers.GRU(24), layers.Dense(64))
    artifact = export.to_onnx(model, tmp_path / "m.onnx", quantize="dynamic")
    reference = onnx.reference.ReferenceEvaluator(onnx.load(artifact.path))
    (want,) = reference.run(None, {"x": _x()})
    (got,) = runtime.load(artifact.path).run({"x": _x()}).values()
    np.testing.assert_allclose(got, want, atol=2e-3)


def test_float16_halves_the_file_and_leaves_the_float_operators(tmp_path):
    model = _model(layers.LSTM(48, **SEQUENCES), layers.GRU(48), layers.Dense(32))
    full = export.to_onnx(model, tmp_path / "full.onnx")
    small = export.to_onnx(model, tmp_path / "small.onnx", quantize="float16")
    assert full.bytes > 1.8 * small.bytes
    assert _once_loaded(small.path, tmp_path) == _once_loaded(full.path, tmp_path)
    assert (small.ok, small.allowed, small.max_abs_diff < 2e-3, small.notes) == (True, 0.01, True, ())


def test_weights_that_int8_holds_exactly_are_stored_so_and_computed_in_float(tmp_path):
    tokens, embedding = keras.Input((None,), dtype="int32", name="tokens"), TiedEmbedding(200, 40)
    x = layers.GRU(48, **SEQUENCES)(layers.LSTM(48, **SEQUENCES)(embedding(tokens)))
    model = randomised(keras.Model(tokens, embedding(layers.Dense(40)(x), reverse=True), name="m"), scale=0.2)
    round_weights(model, "int8")
    full, small = (export.to_onnx(model, tmp_path / f"{kind}.onnx", quantize=kind) for kind in (None, "float16"))
    assert full.bytes > 3 * small.bytes
    assert _once_loaded(small.path, tmp_path) == _once_loaded(full.path, tmp_path)
    assert [value.dtype for value in _stored(small.path).values() if value.size > 1024] == [np.dtype("int8")] * 6
    given = {"tokens": np.arange(24)[None]}
    (ours,), (whole,) = (runtime.load(file.path).run(given).values() for file in (small, full))
    assert (ours.tolist(), small.notes) == (whole.tolist(), ())


def test_a_matrix_that_is_used_transposed_too_is_stored_once(tmp_path):
    tokens, embedding = keras.Input((None,), dtype="int32", name="tokens"), TiedEmbedding(40, 32)
    model = randomised(keras.Model(tokens, embedding(layers.GRU(32, **SEQUENCES)(embedding(tokens)), reverse=True)))
    path = export.to_onnx(model, tmp_path / "m.onnx", quantize="float16").path
    assert [value.shape for value in _stored(path).values() if value.size == 40 * 32] == [(40, 32)]


def test_int8_is_the_dynamic_file_and_says_so(tmp_path):
    model = _model(layers.LSTM(24))
    dynamic = export.to_onnx(model, tmp_path / "dynamic.onnx", quantize="dynamic")
    int8 = export.to_onnx(model, tmp_path / "int8.onnx", quantize="int8")
    assert onnx.load(dynamic.path).graph == onnx.load(int8.path).graph
    assert int8.notes == (
        "ONNX Runtime has no LSTM for activations of a fixed range: the weights are int8, the range of the activations "
        "is measured at each call, as with quantize='dynamic'. Calibration data is not used.",
    )


def test_a_model_with_nothing_to_make_smaller_says_so(tmp_path):
    artifact = export.to_onnx(_model(layers.GRU(4)), tmp_path / "m.onnx", quantize="dynamic")
    assert artifact.operators == {"GRU": 1, "Squeeze": 1, "Transpose": 1}
    assert artifact.notes == ("No constant has 1024 elements or more, and there is no LSTM: nothing was made smaller.",)


def test_a_layer_used_twice_is_stored_once_and_an_embedding_in_int8(tmp_path):
    tokens = [keras.Input((None,), dtype="int32", name=name) for name in ("question", "answer")]
    table, memory = layers.Embedding(100, 16), layers.LSTM(16)
    model = randomised(
        keras.Model(tokens, layers.Dot(-1)([memory(table(item)) for item in tokens]), name="m"), scale=0.2
    )
    artifact = export.to_onnx(model, tmp_path / "m.onnx", quantize="dynamic")
    assert artifact.operators["DynamicQuantizeLSTM"] == 2
    sizes = sorted(value.size for value in _stored(artifact.path).values() if value.dtype == np.int8 and value.ndim > 1)
    assert sizes == [1024, 1024, 1600]


def test_a_streaming_file_can_be_quantised(tmp_path):
    model = _model(layers.LSTM(24, name="memory", **SEQUENCES), layers.Dense(4))
    artifact = export.to_onnx(model, tmp_path / "m.onnx", streaming=True, quantize="dynamic")
    stream = runtime.load(artifact.path).stream(batch=2)
    got = np.concatenate([stream.push(_x()[:, start : start + 5]) for start in range(0, STEPS, 5)], axis=1)
    assert 0 < np.sqrt(np.mean(np.square(got - model(_x())))) < 0.02


def test_values_that_float16_does_not_hold_stay_float32():
    weight = np.full((2, 1024), 1e5, "float32")
    small, notes = quantize.quantized(_product_of(weight), "float16")
    assert numpy_helper.to_array(small.graph.initializer[0]).tolist() == weight.tolist()
    assert notes == ["No constant has 1024 elements or more, and there is no LSTM: nothing was made smaller."]


def test_a_weight_of_zeros_stays_zero():
    small, _ = quantize.quantized(_product_of(np.zeros((2, 1024), "float32")), "dynamic")
    session = onnxruntime.InferenceSession(small.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.ones((3, 2), "float32")})[0].tolist() == np.zeros((3, 1024)).tolist()


def _product_of(weight):
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size])
        for name, size in zip("xy", weight.shape, strict=True)
    ]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "MatMul")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(weight, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class _Noisy(NumpyExecutor):
    """Off by `size` in every element, or by ten times that in every hundredth."""

    def __init__(self, size, sparse=False):
        super().__init__()
        self.size, self.sparse = size, sparse

    def run_checked(self, arrays):
        scores = super().run_checked(arrays)["scores"].copy()
        scores += (
            np.where(np.arange(scores.size).reshape(scores.shape) % 100 == 0, 10, 0) * self.size
            if self.sparse
            else self.size
        )
        return {SCORES.name: scores}


def test_a_quantised_file_is_judged_by_the_root_mean_square():
    report = check(Checked("m", "onnx", _Noisy(0.02)), NumpyExecutor(), {}, quantize="dynamic")
    assert report.max_abs_diff == pytest.approx(0.02, rel=1e-3)
    with pytest.raises(ParityError) as error:
        check(Checked("m", "onnx", _Noisy(0.06)), NumpyExecutor(), {}, quantize="dynamic")
    assert str(error.value) == (
        "m: onnx output 'scores' differs by 6e-2 in the root mean square (allowed 5e-2). "
        "Input: normal values, frames [1, 1, 3]."
    )


@pytest.mark.parametrize(
    ("to", "kind", "text"),
    [
        ("onnx", "int16x8", "Format 'onnx' cannot be quantised to 'int16x8'; it takes 'dynamic', 'float16', 'int8'. "
         "Leave 'onnx' out, or export it without quantisation."),
        ("saved_model", "dynamic", "Format 'saved_model' cannot be quantised to 'dynamic'; it takes none. "
         "Leave 'saved_model' out, or export it without quantisation."),
        ("tflite", "int8", "quantize='int8' needs calibration data: calibration=[{'input name': array}, …], "
         "some 100 batches of what the model will see."),
    ],
)  # fmt: skip
def test_what_a_format_does_not_take_is_refused(to, kind, text, tmp_path):
    with pytest.raises(InvalidInput) as error:
        export.export(_model(layers.LSTM(4)), to, out=tmp_path, quantize=kind)
    assert str(error.value) == text and not list(tmp_path.iterdir())


def test_full_integers_of_other_activations_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(Unsupported) as error:
        export.to_tflite(
            _model(layers.GRU(4, activation="relu", name="memory"), time=STEPS),
            tmp_path / "m.tflite",
            quantize="int8",
            calibration=[{"x": _x()}],
        )
    assert str(error.value) == (
        "quantize='int8' cannot quantise layer 'memory': integers compute LSTM, GRU and SimpleRNN with tanh and "
        "sigmoid, from zero initial states, and hand out no cell state. Use quantize='dynamic' or 'float16', or make "
        "it such a layer."
    )
    assert not list(tmp_path.iterdir())


def test_without_the_data_set_of_a_zoo_model_its_error_says_what_else_to_do(tmp_path, monkeypatch):
    def missing():
        raise DataMissing("Cannot download it.")

    spec = registry.get(registry.names()[0])
    monkeypatch.setattr(datasets, "get", lambda name: dataclasses.replace(datasets.adding.DATASET, load=missing))
    with pytest.raises(DataMissing) as error:
        export.to_tflite(_model(layers.LSTM(4)), tmp_path / "m.tflite", spec=spec, quantize="int8")
    assert str(error.value) == "quantize='int8' needs calibration data: Cannot download it. Or give calibration=."


@pytest.fixture(scope="module")
def int8(tmp_path_factory):
    """Converted in a process of its own, as exports are."""
    tmp_path = tmp_path_factory.mktemp("int8")
    prepare = [layers.Rescaling(10.0), layers.Activation("tanh")]
    model = _model(*prepare, layers.LSTM(16, name="memory"), layers.Dense(3), time=STEPS, scale=0.3)
    calibration = [{"x": _x(1, seed)} for seed in range(30)]
    return model, export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", calibration=calibration)


@needs_micro
def test_an_int8_lstm_runs_in_the_arena_that_is_reported_and_in_no_smaller_one(int8):
    model, artifact = int8
    assert artifact.as_json()["arena_bytes"] == artifact.arena_bytes
    assert artifact.notes[-1] == f"TensorFlow Lite Micro runs the file in an arena of {artifact.arena_bytes} bytes."
    (got,) = micro.run(artifact.path.read_bytes(), [_x(1)], 1, artifact.arena_bytes)
    np.testing.assert_allclose(got, model(_x(1)), atol=0.05)
    command = (
        "import numpy, pathlib; from export import micro; "
        f"x = numpy.zeros((1, {STEPS}, {FEATURES}), 'float32'); "
        f"file = pathlib.Path({str(artifact.path)!r}).read_bytes(); "
        f"micro.run(file, [x], 1, {artifact.arena_bytes} - micro.ALIGNMENT)"
    )
    assert subprocess.run([sys.executable, "-c", command], capture_output=True).returncode != 0


@here
@needs_micro
def test_no_arena_is_reported_where_micro_cannot_run_the_file(tmp_path):
    free = _model(layers.LSTM(4))
    artifact = export.to_tflite(free, tmp_path / "free.tflite", quantize="int8", calibration=[{"x": _x()}])
    assert artifact.arena_bytes is None
    hybrid = export.to_tflite(_model(layers.LSTM(36), time=STEPS), tmp_path / "hybrid.tflite", quantize="dynamic")
    assert micro.arena_bytes(hybrid.path, {"x": _x(1)}, 0.05) is None


def test_what_is_done_to_the_inputs_before_the_first_weights_stays_float(int8):
    _, artifact = int8
    content = artifact.path.read_bytes()
    assert len(preparation(content)) >= 2
    assert artifact.max_abs_diff < 0.02
    assert artifact.operators["QUANTIZE"] >= 1 and artifact.operators["TANH"] == 1


@here
def test_the_file_of_a_zoo_model_has_the_length_of_its_window(tmp_path):
    spec = dataclasses.replace(registry.get(registry.names()[0]), window=12)
    x = [{"x": _x(1, seed, steps=12)} for seed in range(20)]
    artifact = export.to_tflite(
        _model(layers.LSTM(4)), tmp_path / "m.tflite", spec=spec, quantize="int8", calibration=x
    )
    assert runtime.load(artifact.path).signature.inputs[0].shape == (None, 12, FEATURES)


@here
def test_a_full_integer_file_is_checked_with_input_like_that_of_its_calibration(tmp_path):
    model = _model(layers.LSTM(8), layers.Dense(3), time=STEPS, scale=0.5)
    calibration = [{"x": 0.02 * _x(1, seed) + 0.5} for seed in range(20)]
    path = export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", calibration=calibration).path
    known = runtime.load(path).metadata.calibrated["x"]
    rows = np.concatenate([batch["x"] for batch in calibration]).reshape(-1, FEATURES)
    np.testing.assert_allclose(known.mean, rows.mean(0), rtol=1e-4)
    np.testing.assert_allclose(known.highest, rows.max(0), rtol=1e-4)
    report = check_file(path, against=model)
    assert (report.allowed, report.max_abs_diff < 0.05) == (0.1, True)
    probed = Checked("m", "tflite", runtime.load(path), fixes_sizes=True)
    with pytest.raises(ParityError):
        check(probed, KerasExecutor(source.read(model)), {}, quantize="int8")
