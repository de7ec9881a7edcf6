"""What the cells and layers of the LSTM family take, keep in a file, and refuse."""

import re

import keras
import numpy as np
import pytest

from tests.cells.family import FAMILY, B, D, H, T, close, given, problem
from zoo import cells, layers
from zoo.errors import InvalidInput

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
MEMBERS = pytest.mark.parametrize("member", FAMILY.values(), ids=FAMILY)
RECURRENT = pytest.mark.parametrize(
    "member",
    [member for member in FAMILY.values() if "recurrent_kernel" in member.weights],
    ids=lambda m: m.layer.__name__,
)


@MEMBERS
def test_the_configuration_survives_serialisation(member):
    options = {"return_sequences": True, "go_backwards": True, "kernel_initializer": "he_normal", "dropout": 0.25}
    layer = member.layer(H, **member.arguments, **options, bias_regularizer="l2", seed=7, name="layer")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(copy) is member.layer
    assert copy.get_config() == layer.get_config()
    assert (copy.units, copy.go_backwards, copy.cell.dropout, copy.cell.seed) == (H, True, 0.25, 7)
    cell = member.cell(H, **member.arguments, use_bias=False, name="cell")
    assert keras.layers.deserialize(keras.layers.serialize(cell)).get_config() == cell.get_config()


@MEMBERS
def test_a_model_survives_the_keras_file(member, tmp_path):
    inputs = keras.Input((None, D))
    hidden = keras.layers.Bidirectional(member.layer(H, **member.arguments, return_sequences=True))(inputs)
    hidden = keras.layers.RNN(member.cell(H, **member.arguments), return_sequences=True)(hidden)
    model = keras.Model(inputs, member.layer(H, **member.arguments, go_backwards=True)(hidden))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = problem(member)[0].astype("float32")
    np.testing.assert_array_equal(copy(x), model(x))


@MEMBERS
def test_keras_arguments_reach_the_weights(member):
    layer = member.layer(
        H, **member.arguments, kernel_initializer="ones", kernel_regularizer="l1", kernel_constraint="non_neg"
    )
    given(layer, member.weights)
    layer.cell.kernel.assign(np.ones(layer.cell.kernel.shape))
    close(sum(layer.losses), 0.01 * np.prod(layer.cell.kernel.shape), 1e-4)
    assert isinstance(layer.cell.kernel.constraint, keras.constraints.NonNeg)


@pytest.mark.parametrize("layer", [layers.LayerNormLSTM, layers.PeepholeLSTM, layers.ProjectedLSTM])
def test_the_forget_gate_starts_at_one_unless_told_otherwise(layer):
    more = {"projection_units": 2} if layer is layers.ProjectedLSTM else {}
    for unit_forget_bias, forget in ((True, 1), (False, 0)):
        made = layer(H, unit_forget_bias=unit_forget_bias, **more)
        made.build((None, None, D))
        np.testing.assert_array_equal(np.asarray(made.cell.bias), [0] * H + [forget] * H + [0] * 2 * H)


def test_peepholes_start_at_zero_so_that_the_layer_starts_as_a_plain_lstm():
    layer, plain = layers.PeepholeLSTM(H), keras.layers.LSTM(H)
    for one in (layer, plain):
        one.build((None, None, D))
    plain.set_weights(layer.get_weights()[:3])
    x = problem(FAMILY["PeepholeLSTM"])[0].astype("float32")
    close(layer(x), plain(x))


@MEMBERS
@pytest.mark.parametrize("units", [0, -1, 2.5, True, None, "8"])
def test_units_below_one_raise(member, units):
    for kind in (member.cell, member.layer):
        with pytest.raises(InvalidInput) as error:
            kind(units, **member.arguments)
        assert str(error.value) == f"units={units!r} is not a number of units: give a whole number from 1 up."


@MEMBERS
@pytest.mark.parametrize("rate", [7.0, 1.0, -0.1, float("nan"), None])
def test_a_dropout_rate_out_of_range_raises(member, rate):
    names = ["dropout", "recurrent_dropout"] if "recurrent_kernel" in member.weights else ["dropout"]
    for name in names:
        with pytest.raises(ValueError, match="is not a dropout rate") as error:
            member.layer(H, **member.arguments, **{name: rate})
        assert str(error.value) == (
            f"{name}={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1."
        )


@pytest.mark.parametrize("cell", [cells.LayerNormLSTMCell, cells.LayerNormGRUCell])
@pytest.mark.parametrize("epsilon", [0, -1.0])
def test_an_epsilon_that_divides_by_zero_raises(cell, epsilon):
    with pytest.raises(InvalidInput) as error:
        cell(H, epsilon=epsilon)
    assert str(error.value) == (f"epsilon={epsilon!r} divides by zero where all units agree: give a number above 0.")


def test_a_projection_to_no_units_raises():
    with pytest.raises(InvalidInput) as error:
        layers.ProjectedLSTM(H, projection_units=0)
    assert str(error.value) == "projection_units=0 is not a number of units: give a whole number from 1 up."


@pytest.mark.parametrize("cell", [cells.MinGRUCell, cells.MinLSTMCell])
def test_arguments_of_a_recurrent_kernel_raise_where_there_is_none(cell):
    with pytest.raises(InvalidInput) as error:
        cell(H, recurrent_initializer="zeros", recurrent_dropout=0.2)
    assert str(error.value) == (
        f"{cell.__name__} has no recurrent kernel and sigmoid gates: drop recurrent_dropout, recurrent_initializer."
    )


def test_an_unknown_argument_raises():
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to PeepholeLSTMCell"):
        layers.PeepholeLSTM(8, projection_units=3)


def said(error):
    """The text of an error raised in a `call`, out of the frame Keras puts around it."""
    return re.sub(r"\x1b\[\d+m", "", str(error.value)).split("\n\n")[1]


@MEMBERS
def test_a_sequence_of_no_steps_raises(member):
    with pytest.raises(InvalidInput) as error:
        member.layer(H, **member.arguments, name="layer")(np.zeros((B, 0, D), "float32"))
    assert said(error) == "Layer 'layer' was given a sequence of 0 steps: give at least 1."


@MEMBERS
def test_a_mask_of_the_wrong_shape_raises(member):
    layer, x = member.layer(H, **member.arguments, name="layer"), np.zeros((B, T, D), "float32")
    for shape in ((B, T + 1), (B,), (B, T, D)):
        with pytest.raises(InvalidInput) as error:
            layer(x, mask=np.ones(shape, bool))
        assert said(error) == (
            f"Layer 'layer' was given a mask of shape {list(shape)}: "
            f"a sequence of shape {[B, T, D]} takes one of shape {[B, T]}."
        )


@MEMBERS
def test_states_of_the_wrong_batch_or_number_raise(member):
    layer, x = member.layer(H, **member.arguments, name="layer"), np.zeros((B, T, D), "float32")
    wanted = ", ".join(str([B, size]) for size in member.sizes)
    short = [np.zeros((B - 1, size), "float32") for size in member.sizes]
    for states in (short, [np.zeros((B, member.sizes[0]), "float32")] * 3):
        with pytest.raises(InvalidInput) as error:
            layer(x, initial_state=states)
        shapes = ", ".join(str(list(state.shape)) for state in states)
        assert said(error) == f"Layer 'layer' was given states of shapes {shapes}: it takes {wanted}."
