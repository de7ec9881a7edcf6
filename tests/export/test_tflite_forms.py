"""Which form a float LSTM takes in a TFLite file, by length and size: the fused operator, written out, or a `WHILE`."""

import keras
import numpy as np
import pytest
from keras import layers

from export.lowering.tflite import TFLiteTarget
from tests.export.tflite_parity import FUSED, TOLERANCE, arrays, model_of, worst_difference, written

FORMS = {  # (steps, units): what is in the file; see the table of `TFLiteTarget.outruns`
    (6, 4): "unrolled",
    (20, 64): "unrolled",
    (21, 64): FUSED,
    (None, 64): FUSED,
    (5, 256): "WHILE",  # its kernels, one for each step, are beyond 4 MiB
    (100, 128): "WHILE",
    (101, 128): FUSED,
    (200, 256): "WHILE",
    (201, 256): FUSED,
    (None, 256): FUSED,
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


@pytest.mark.parametrize("quantize", ["dynamic", "float16"])
def test_quantised_files_keep_the_fused_operator_for_its_integers_alone(quantize, tmp_path):
    model = model_of(lambda x: layers.LSTM(32)(x), 6)
    found = written(model, tmp_path, quantize=quantize)[2]
    assert form(found.operators) == {"dynamic": FUSED, "float16": "unrolled"}[quantize]


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


def test_files_for_microcontrollers_are_fused_whatever_is_fast_here():
    class Item:
        units, recurrent_kernel = 256, np.zeros((256, 1024), "float32")

    assert not TFLiteTarget(resets=False).outruns(Item, 6)
    assert TFLiteTarget().outruns(Item, 50)
