"""`ResidualStack`: every layer added to what goes into it."""

import keras
import numpy as np
import pytest

from tests import oracle
from tests.cells.family import B, D, H, T, arrays, close
from zoo import cells, layers
from zoo.errors import InvalidInput

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
MASK = np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1], [1] * 6], bool)


def gru(units=H, **more):
    return layers.GRU(units, return_sequences=True, **more)


@pytest.mark.parametrize("features", [D, H])
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
def test_each_layer_is_added_to_its_input_where_the_widths_agree(features, mask):
    stack = layers.ResidualStack([gru() for _ in range(3)])
    (x,) = arrays(1, (B, T, features))
    got = stack(x.astype("f"), mask=mask)
    y = x
    for layer in stack.layers:
        w = oracle.Weights(*(np.asarray(value, "f8") for value in layer.get_weights()))
        out = oracle.gru(y, np.zeros((B, H)), w, mask=mask).sequence
        y = y + out if y.shape == out.shape else out
    close(got, y)


def test_bidirectional_and_weight_drop_stand_in_a_stack_and_the_file_keeps_it(tmp_path):
    inner = [
        keras.layers.Bidirectional(gru(2)),
        layers.WeightDrop(gru()),
        layers.PeepholeLSTM(4, return_sequences=True),
    ]
    inputs = keras.Input((None, D))
    outputs = keras.layers.GlobalAveragePooling1D()(layers.ResidualStack(inner)(keras.layers.Masking()(inputs)))
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [type(layer).__name__ for layer in copy.layers[2].layers] == ["Bidirectional", "WeightDrop", "PeepholeLSTM"]
    x = arrays(1, (B, T, D))[0].astype("f")
    np.testing.assert_array_equal(copy(x), model(x))
    padded = np.concatenate([x, np.zeros((B, 3, D), "f")], 1)
    close(model(padded), model(x))


def test_training_reaches_the_layers_inside():
    stack = layers.ResidualStack([layers.LSTM(H, return_sequences=True, dropout=0.5), gru()])
    x = np.ones((B, T, D), "f")
    assert len(stack(x).shape) == 3 and len(stack.trainable_weights) == 6
    assert np.abs(np.asarray(stack(x, training=True)) - np.asarray(stack(x))).max() > 1e-4


def test_a_stack_of_no_layers_raises():
    with pytest.raises(InvalidInput) as error:
        layers.ResidualStack([])
    assert str(error.value) == "ResidualStack was given no layers: give at least one."


@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "return_state": True}])
def test_a_layer_that_does_not_return_one_sequence_raises(options):
    stack = layers.ResidualStack([gru(), layers.LSTM(H, name="last", **options)], name="stack")
    with pytest.raises(InvalidInput) as error:
        stack.build((None, None, D))
    assert str(error.value) == (
        "Layer 'last' of ResidualStack 'stack' does not return one sequence: "
        "give it return_sequences=True and return_state=False."
    )


def test_a_layer_that_changes_the_width_raises():
    stack = layers.ResidualStack([gru(), gru(3, name="narrow")], name="stack")
    with pytest.raises(InvalidInput) as error:
        stack.build((None, None, D))
    assert str(error.value) == (
        "Layer 'narrow' of ResidualStack 'stack' turns width 4 into 3, so the two cannot be added: "
        "only the first layer may change the width."
    )


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.WeightDrop], ids=["plain", "wrapped"])
def test_a_layer_that_reads_backwards_raises(wrap):
    layer = wrap(gru(go_backwards=True))
    stack = layers.ResidualStack([layer], name="stack")
    with pytest.raises(InvalidInput) as error:
        stack.build((B, T, H))
    assert str(error.value) == (
        f"Layer {layer.name!r} of ResidualStack 'stack' has go_backwards=True: its first step would be added "
        "to the last one of what goes into it. Put it in a Bidirectional, or outside the stack."
    )


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_a_wrapper_computes_in_the_precision_of_what_is_inside(dtype):
    x = np.zeros((B, T, H), "f")

    def inner():
        return layers.RNN(cells.PeepholeLSTMCell(H, dtype=dtype), return_sequences=True)

    for layer in (inner(), layers.ResidualStack([inner()]), layers.WeightDrop(inner()), layers.Checkpointed(inner())):
        for training in (False, True):
            assert layer(x, training=training).dtype == layer.compute_dtype == keras.DTypePolicy(dtype).compute_dtype
