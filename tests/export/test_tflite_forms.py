"""Which form a float LSTM takes in a TFLite file, by length and size: the fused operator, written out, or a `WHILE`."""

import keras
import numpy as np
import pytest
from keras import layers

from export.check import ALLOWED
from export.lowering.tflite import TFLiteTarget, _block_sizes
from tests.export.tflite_parity import (
    FUSED,
    TOLERANCE,
    arrays,
    keras_outputs,
    model_of,
    run,
    worst_difference,
    written,
)

FORMS = {  # (steps, units): what is in the file; see the table of `TFLiteTarget.outruns`
    (6, 4): "unrolled",
    (50, 64): "unrolled",
    (51, 64): "WHILE",
    (6, 256): "unrolled",
    (7, 256): "WHILE",  # its kernels, one for each step, are beyond 6 MiB
    (400, 32): "WHILE",
    (401, 32): FUSED,
    (800, 64): "WHILE",
    (801, 64): FUSED,
    (1600, 128): "WHILE",
    (1601, 128): FUSED,
    (None, 64): FUSED,
    (None, 128): "WHILE",
}


def form(operators):
    return next((name for name in (FUSED, "WHILE") if name in operators), "unrolled")


@pytest.mark.parametrize(("steps", "units"), FORMS)
def test_a_float_lstm_takes_the_form_that_was_measured_fastest(steps, units, tmp_path):
    keras.utils.set_random_seed(0)
    x = keras.Input((steps, 3), name="x")
    model = keras.Model(x, layers.LSTM(units)(x))
    difference, operators = worst_difference(model, tmp_path, arrays(steps=steps or 7), reset=False)
    assert difference < TOLERANCE and form(operators) == FORMS[steps, units]


@pytest.mark.parametrize(
    ("quantize", "units", "expected"),
    [("float16", 32, "unrolled"), ("dynamic", 32, FUSED), ("dynamic", 64, "unrolled")],
)
def test_quantised_weights_of_a_small_lstm_keep_the_smaller_file(quantize, units, expected, tmp_path):
    found = written(model_of(lambda x: layers.LSTM(units)(x), 6), tmp_path, quantize=quantize)[2]
    assert form(found.operators) == expected


def test_plain_steps_in_dynamic_range_keep_no_state_in_the_file(tmp_path):
    model = model_of(lambda x: layers.LSTM(64, return_sequences=True)(x), 60)
    path, source, found = written(model, tmp_path, quantize="dynamic")
    feeds = arrays(steps=60)
    (want,) = keras_outputs(model, source, feeds).values()
    first, second = run(path, feeds, reset=False)
    assert np.sqrt(np.mean((next(iter(first.values())) - want) ** 2)) < ALLOWED["dynamic"]
    np.testing.assert_array_equal(*first.values(), *second.values())
    assert form(found.operators) == "WHILE" and not found.notes


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "padded"])
def test_steps_written_out_are_those_of_keras(backwards, masked, tmp_path):
    def build(x, mask=None):
        return layers.LSTM(4, return_sequences=True, go_backwards=backwards)(x, mask=mask)

    feeds = arrays() | ({"mask": np.array([[True, True, False, True, True, False]])} if masked else {})
    difference, operators = worst_difference(model_of(build, masked=masked), tmp_path, feeds)
    assert difference < TOLERANCE and form(operators) == "unrolled"


def test_both_directions_take_the_same_form(tmp_path):
    model = model_of(lambda x: layers.Bidirectional(layers.LSTM(4))(x))
    difference, operators = worst_difference(model, tmp_path, arrays())
    assert difference < TOLERANCE and form(operators) == "unrolled"


def test_files_in_full_integers_are_fused_whatever_is_fast_here():
    assert not TFLiteTarget("int8").outruns(256, 6)
    assert TFLiteTarget().outruns(256, 50) and TFLiteTarget("dynamic").outruns(256, 50)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(
    "steps", [21, 24, 26, 37, 258]
)  # one step, and blocks of 4, 3, 5, 6 and 16 with 0, 2, 0, 0, 1 left
def test_a_loop_in_blocks_takes_every_step_once(steps, backwards, tmp_path, monkeypatch):
    monkeypatch.setattr("export.lowering.tflite.UNROLLED_STEPS", 20)
    model = model_of(lambda x: layers.GRU(4, return_sequences=True, go_backwards=backwards)(x), steps)
    difference, operators = worst_difference(model, tmp_path, arrays(steps=steps))
    assert difference < TOLERANCE and operators["WHILE"] == 1 + bool((steps - 1) % max(_block_sizes(steps)))


def test_one_file_of_a_free_length_runs_any(tmp_path):
    model = model_of(lambda x: layers.GRU(4, return_sequences=True)(x), None)
    path, source, _ = written(model, tmp_path)
    for steps in (1, 2, 8, 9, 10, 25, 100):
        feeds = arrays(steps=steps)
        (want,) = keras_outputs(model, source, feeds).values()
        for got in run(path, feeds):
            np.testing.assert_allclose(*got.values(), want, rtol=0, atol=TOLERANCE)


def test_blocks_leave_little_to_single_steps():
    assert [_block_sizes(steps) for steps in (None, 1, 2, 3, 5, 101, 258)] == [
        (8, 1),
        (),
        (1,),
        (1,),
        (2,),
        (10,),
        (16, 1),
    ]
    assert all(1 <= max(_block_sizes(steps)) <= 16 for steps in range(2, 2000))


def test_a_loop_keeps_no_sequence_in_the_file(tmp_path):
    class Cell(layers.GRUCell):
        """Its own subclass, which no target knows."""

    x = keras.Input((400, 3), batch_size=16, name="x")
    for layer in (layers.GRU(32, return_sequences=True), layers.RNN(Cell(32), return_sequences=True)):
        path, _, report = written(keras.Model(x, layer(x)), tmp_path)
        assert report.operators["WHILE"] and path.stat().st_size < 400 * 16 * 32 * 4 / 4
