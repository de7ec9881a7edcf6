"""Quantised TFLite files: near Keras in every mode, repaired where the converter errs, refused where it would die."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers, ops

from tests.export.tflite_parity import FEATURES, FUSED, keras_outputs, model_of, run, written
from tests.tiers import thorough
from zoo.errors import InvalidInput, Unsupported

STEPS = 12
SEQUENCES = {"return_sequences": True}
here = pytest.mark.usefixtures("converted_here")


def _calibration(examples=20, seed=3):
    x = np.random.default_rng(seed).standard_normal((examples, STEPS, FEATURES))
    return [{"x": x.astype("float32")}]


def _difference(model, folder, **arguments):
    path, source, report = written(model, folder, **arguments)
    feeds = {"x": _calibration()[0]["x"][:1]}
    want = keras_outputs(model, source, feeds)
    worst = max(np.abs(got[name] - want[name]).max() for got in run(path, feeds) for name in want)
    return float(worst), report, path


def _classifier(x):
    lower = layers.LSTM(5, name="lower", **SEQUENCES)(x)
    return layers.Dense(3)(layers.Bidirectional(layers.LSTM(6, name="upper"))(lower))


@pytest.mark.parametrize(("quantize", "allowed"), [("float16", 2e-3), ("dynamic", 2e-2)])
@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_weights_alone_are_quantised_for_any_recurrence(layer, quantize, allowed, tmp_path):
    model = model_of(lambda x: layer(36)(x), time=None)
    full = written(model, tmp_path)[0].stat().st_size
    difference, report, path = _difference(model, tmp_path, quantize=quantize)
    assert 0 < difference < allowed and full - path.stat().st_size > 0.4 * 4 * model.count_params()
    assert report.operators.get(FUSED, 0) == (1 if layer is layers.LSTM else 0)


@here
def test_int8_of_stacked_and_bidirectional_lstms_of_free_time_is_near_keras(tmp_path):
    difference, report, _ = _difference(
        model_of(_classifier, time=None), tmp_path, quantize="int8", calibration=_calibration()
    )
    assert 0 < difference < 0.03 and report.operators[FUSED] == 3
    assert report.notes == [
        "The quantised LSTM operators ('lower', 'forward_upper', 'backward_upper') keep their states in the file from "
        "one call to the next: outside of export.runtime, call the interpreter's reset_all_variables() before every "
        "sequence."
    ]


@here
def test_an_int8_lstm_whose_cell_state_stays_small_is_right(tmp_path):
    model = model_of(lambda x: layers.LSTM(6, **SEQUENCES)(layers.LSTM(6, **SEQUENCES)(x)), time=STEPS)
    for weight in model.weights:
        weight.assign(weight * 0.2)
    difference, _, path = _difference(model, tmp_path, quantize="int8", calibration=_calibration())
    assert difference < 5e-3
    assert min(_cell_scales(path.read_bytes())) == 2.0**-15


def _cell_scales(content):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    fused = [operator for operator in graph.operators if len(operator.inputs) == 24]
    return [float(graph.tensors[operator.inputs[19]].quantization.scale[0]) for operator in fused]


@here
def test_int8_sides_that_are_concatenated_keep_their_own_scales(tmp_path):
    model = model_of(lambda x: layers.Bidirectional(layers.LSTM(6, **SEQUENCES))(x), time=STEPS)
    model.weights[5].assign(model.weights[5] * 8.0)  # the backward bias: sides of different ranges
    difference, report, _ = _difference(model, tmp_path, quantize="int8", calibration=_calibration())
    assert difference < 0.02
    assert report.operators["QUANTIZE"] > 1  # the input's, and one where the converter forgot it


@here
def test_a_masked_int8_lstm_is_near_keras(tmp_path):
    model = model_of(lambda x: layers.LSTM(6)(layers.Masking()(x)), time=STEPS)
    calibration = _calibration()
    calibration[0]["x"][:, 8:] = 0.0
    path, source, report = written(model, tmp_path, quantize="int8", calibration=calibration)
    feeds = {"x": calibration[0]["x"][:1]}
    want = keras_outputs(model, source, feeds)
    np.testing.assert_allclose(*(next(iter(values.values())) for values in (run(path, feeds)[0], want)), atol=0.02)
    assert report.operators[FUSED] == 1


@here
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_fused_lstm_runs_in_tflite_micro(quantize, tmp_path):
    micro = pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for Linux on x86-64 only").runtime
    model = model_of(_classifier, time=STEPS)
    path, source, _ = written(model, tmp_path, quantize=quantize, calibration=_calibration())
    interpreter = micro.Interpreter.from_bytes(path.read_bytes())
    x = _calibration()[0]["x"][:1]
    interpreter.set_input(x, 0)
    interpreter.invoke()
    (want,) = keras_outputs(model, source, {"x": x}).values()
    np.testing.assert_allclose(interpreter.get_output(0), want, atol=1e-5 if quantize is None else 0.03)


REFUSED = {
    "activation": lambda x: layers.GRU(4, activation="relu", name="memory")(x),
    "initial state": lambda x: layers.GRU(3, name="memory")(x, initial_state=x[:, 0]),
    "cell state": lambda x: layers.LSTM(4, return_state=True, name="memory")(x),
    "loop of another cell": lambda x: layers.RNN(layers.LSTMCell(4, activation="gelu"), name="memory")(x),
}


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_recurrences_that_integers_do_not_compute_are_refused_before_the_converter_sees_them(build, tmp_path):
    model = model_of(build, time=None)
    for quantize in ("int8", "int16x8"):
        with pytest.raises(Unsupported) as caught:
            written(model, tmp_path, quantize=quantize, calibration=_calibration())
        assert str(caught.value) == (
            f"quantize={quantize!r} cannot quantise layer 'memory': integers compute LSTM, GRU and SimpleRNN with tanh "
            "and sigmoid, from zero initial states, and hand out no cell state. Use quantize='dynamic' or 'float16', "
            "or make it such a layer."
        )


def _every_kind(x):
    lower = layers.Bidirectional(layers.GRU(5, **SEQUENCES))(layers.LSTM(6, **SEQUENCES)(x))
    return layers.Dense(3)(layers.SimpleRNN(4)(layers.GRU(5, reset_after=False, **SEQUENCES)(lower)))


@here
@pytest.mark.parametrize(("quantize", "fused", "loops"), [("int8", 1, 4), ("int16x8", 0, 5)])
def test_recurrences_of_every_kind_in_one_file_are_near_keras(quantize, fused, loops, tmp_path):
    model = model_of(_every_kind, time=None)
    difference, report, _ = _difference(model, tmp_path, quantize=quantize, calibration=_calibration())
    assert 0 < difference < 0.02
    assert (report.operators.get(FUSED, 0), report.operators["WHILE"]) == (fused, loops)


@here
@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_sides_that_read_backwards_start_at_the_last_step_that_counts_in_integers(layer, quantize, tmp_path):
    model = model_of(lambda x: layers.Bidirectional(layer(6, **SEQUENCES))(layers.Masking()(x)), time=None)
    calibration = _calibration()
    calibration[0]["x"][::2, 8:] = 0.0
    calibration[0]["x"][2, :] = 0.0
    path, source, report = written(model, tmp_path, quantize=quantize, calibration=calibration)
    for row in (0, 1, 2):  # eight steps of twelve, all, none
        feeds = {"x": calibration[0]["x"][row : row + 1]}
        want = keras_outputs(model, source, feeds)
        np.testing.assert_allclose(*(next(iter(values.values())) for values in (run(path, feeds)[0], want)), atol=0.03)
    assert "REVERSE_SEQUENCE" not in report.operators  # it has no kernel in integers


@here
@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_masked_steps_are_skipped_in_integers(quantize, tmp_path):
    model = model_of(lambda x: layers.GRU(6, return_state=True)(layers.Masking()(x)), time=STEPS)
    calibration = _calibration()
    calibration[0]["x"][:, 8:] = 0.0
    path, source, _ = written(model, tmp_path, quantize=quantize, calibration=calibration)
    feeds = {"x": calibration[0]["x"][:1]}
    want = keras_outputs(model, source, feeds)
    for got in run(path, feeds):
        for name in want:
            np.testing.assert_allclose(got[name], want[name], atol=0.02)


@thorough
def test_an_operator_tflite_lacks_is_refused_beside_integer_loops(tmp_path):
    model = model_of(lambda x: ops.cumprod(layers.GRU(4)(x), axis=1), time=STEPS)
    with pytest.raises(Unsupported) as caught:
        written(model, tmp_path, quantize="int16x8", calibration=_calibration())
    assert str(caught.value) == (
        "The TFLite converter failed at quantize='int16x8': TFLite has no built-in operator for Cumprod. Replace what "
        "computes it by layers TFLite has, or export to 'onnx' or 'saved_model'. Use quantize='dynamic' or 'float16'."
    )


@here
def test_sixteen_bit_activations_work_for_a_model_without_recurrence(tmp_path):
    model = model_of(lambda x: layers.Conv1D(4, 3, activation="relu")(x), time=STEPS)
    assert _difference(model, tmp_path, quantize="int16x8", calibration=_calibration())[0] < 0.02


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"quantize": "int4"},
            "Unknown quantize='int4' for TFLite; use one of None, 'float16', 'dynamic', 'int8', 'int16x8'.",
        ),
        (
            {"quantize": "int8"},
            "quantize='int8' needs calibration data: give calibration=, an iterable of {'x': array} of typical inputs.",
        ),
        (
            {"quantize": "int8", "calibration": [{"x": np.zeros((2, STEPS, 4))}]},
            "Calibration array 'x' has shape [2, 12, 4]; the model needs x float32 [batch, 12, 3].",
        ),
        (
            {"quantize": "int8", "calibration": [{"y": np.zeros((2, STEPS, 3))}]},
            "Calibration data has the inputs ['y']; the model's are ['x'].",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(arguments, text, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        written(model_of(lambda x: layers.LSTM(2)(x), time=STEPS), tmp_path, **arguments)
    assert str(caught.value) == text and not list(tmp_path.iterdir())
