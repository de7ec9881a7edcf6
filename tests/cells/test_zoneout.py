"""`ZoneoutCell` around any cell: a blend in inference, masks drawn anew for every step in training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import oracle, oracle_family
from tests.cells.family import FAMILY, B, D, H, T, arrays, close, given
from zoo import cells, layers
from zoo.errors import InvalidInput

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
KINDS = pytest.mark.parametrize("kind", [keras.layers.RNN, layers.RNN], ids=["keras", "ours"])


def lstm_step(x, h, c, w):
    return oracle.lstm_step(x, h, c, oracle.Weights(w["kernel"], w["recurrent_kernel"], w["bias"]))


@KINDS
@pytest.mark.parametrize("inner", [keras.layers.LSTMCell, cells.LSTMCell], ids=["keras cell", "our cell"])
def test_inference_blends_the_old_state_with_the_new_one(kind, inner):
    layer = kind(cells.ZoneoutCell(inner(H), hidden_rate=0.1, cell_rate=0.5), return_sequences=True)
    w = given(layer, ("kernel", "recurrent_kernel", "bias"))
    (x,) = arrays(1, (B, T, D))
    step = oracle_family.zoneout(lstm_step, (0.1, 0.5))
    mask = np.array([[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 1, 1]], bool)
    zeros = (np.zeros((B, H)),) * 2
    close(layer(x.astype("f"), mask=mask), oracle_family.over_time(step, x, zeros, w, mask).sequence)


@pytest.mark.parametrize("name", ["ProjectedLSTM", "LayerNormGRU", "MinGRU"])
def test_it_goes_around_every_member_of_the_family(name):
    member = FAMILY[name]
    rates = {"hidden_rate": 0.3} | ({"cell_rate": 0.2} if len(member.sizes) == 2 else {})
    layer = layers.RNN(cells.ZoneoutCell(member.cell(H, **member.arguments), **rates), return_sequences=True)
    w = given(layer, member.weights)
    (x,) = arrays(1, (B, T, D))
    step = oracle_family.zoneout(member.step, (0.3, 0.2)[: len(member.sizes)])
    zeros = tuple(np.zeros((B, size)) for size in member.sizes)
    close(layer(x.astype("f")), oracle_family.over_time(step, x, zeros, w).sequence)


@KINDS
@pytest.mark.parametrize("traced", [False, True])
def test_in_training_each_unit_keeps_its_old_state_or_takes_the_new_one_drawn_anew_every_step(kind, traced):
    units, steps = 50, 40
    layer = kind(cells.ZoneoutCell(keras.layers.SimpleRNNCell(units), hidden_rate=0.3, seed=1), return_sequences=True)
    w = {name: 0.1 * value for name, value in given(layer, ("kernel", "recurrent_kernel", "bias")).items()}
    for weight, value in zip(layer.trainable_weights, w.values(), strict=True):
        weight.assign(value)  # small, so that no two steps look alike for being saturated
    (x,) = arrays(1, (1, steps, D))
    run = tf.function(lambda x: layer(x, training=True)) if traced else lambda x: layer(x, training=True)
    first, second = (np.asarray(run(x.astype("f")), "f8")[0] for _ in range(2))
    before = np.concatenate([np.zeros((1, units)), first[:-1]])
    new = np.tanh(x[0] @ w["kernel"] + before @ w["recurrent_kernel"] + w["bias"])
    kept = np.abs(first - before) < 1e-5
    np.testing.assert_allclose(first[~kept], new[~kept], atol=1e-5)
    assert abs(kept.mean() - 0.3) < 0.05
    assert len(np.unique(kept, axis=0)) == steps
    assert np.abs(first - second).max() > 0.1


def test_hidden_and_cell_state_have_masks_of_their_own():
    layer = layers.RNN(cells.ZoneoutCell(cells.LSTMCell(200), cell_rate=0.5), return_state=True)
    given(layer, ("kernel", "recurrent_kernel", "bias"))
    x = arrays(1, (1, 1, D))[0].astype("f")
    _, h, c = (np.asarray(value)[0] for value in layer(x, training=True))
    assert (h != 0).all() and abs((c == 0).mean() - 0.5) < 0.15


def test_dropout_of_the_cell_inside_keeps_one_mask_a_sequence():
    inner = keras.layers.SimpleRNNCell(H, dropout=0.5, seed=3)
    layer = layers.RNN(cells.ZoneoutCell(inner, hidden_rate=0.1), return_sequences=True)
    x = np.ones((B, T, D), "float32")
    layer(x, training=True)
    assert inner._dropout_mask is None  # drawn for the sequence before, taken back after it


def test_the_configuration_and_the_model_survive_their_file(tmp_path):
    cell = cells.ZoneoutCell(cells.PeepholeLSTMCell(H), hidden_rate=0.1, cell_rate=0.5, seed=2)
    inputs = keras.Input((None, D))
    model = keras.Model(inputs, keras.layers.Bidirectional(layers.RNN(cell))(inputs))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    loaded = copy.layers[1].forward_layer.cell
    assert (loaded.hidden_rate, loaded.cell_rate, loaded.seed) == (0.1, 0.5, 2)
    assert type(loaded.cell) is cells.PeepholeLSTMCell
    x = arrays(1, (B, T, D))[0].astype("f")
    np.testing.assert_array_equal(copy(x), model(x))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_its_dtype(policy):
    layer = layers.RNN(cells.ZoneoutCell(cells.LSTMCell(H, dtype=policy), 0.1, 0.5, dtype=policy), dtype=policy)
    assert layer(np.ones((B, T, D), "float32"), training=True).dtype == policy.removeprefix("mixed_")


@pytest.mark.parametrize("name", ["hidden_rate", "cell_rate"])
@pytest.mark.parametrize("rate", [1.0, 7.0, -0.1, float("nan")])
def test_a_rate_out_of_range_raises(name, rate):
    with pytest.raises(ValueError, match="is not a dropout rate") as error:
        cells.ZoneoutCell(cells.LSTMCell(H), **{name: rate})
    assert str(error.value) == f"{name}={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1."


def test_a_rate_for_a_second_state_raises_where_there_is_none():
    with pytest.raises(InvalidInput) as error:
        cells.ZoneoutCell(cells.GRUCell(H), cell_rate=0.5)
    assert str(error.value) == (
        "cell_rate=0.5 is for a second state, and GRUCell has only one: give hidden_rate alone."
    )


def test_keras_rnn_on_jax_is_told_what_to_use(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    cell = cells.ZoneoutCell(cells.GRUCell(H), hidden_rate=0.5)
    with pytest.raises(RuntimeError) as error:
        cell.call(np.ones((B, D), "f"), [np.zeros((B, H), "f")], training=True)
    assert str(error.value) == (
        "ZoneoutCell draws a mask at every step, which a JAX loop cannot do: "
        "train it under zoo.layers.RNN(cell), which draws all masks before its loop."
    )
