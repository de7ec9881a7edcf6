"""`WeightDrop`: recurrent weights dropped once a batch, outside the loop, on whatever path the layer inside takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import oracle
from tests.cells.family import B, D, H, T, arrays, close
from tests.tiers import thorough
from zoo import layers
from zoo.errors import InvalidInput

# Keras writes variables with np.array(variable), and TensorFlow's __array__ lacks NumPy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
INSIDE = pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.LSTM(H, return_sequences=True),
        lambda: layers.LSTM(H, return_sequences=True, path="cell"),
        lambda: layers.LSTM(H, return_sequences=True, path="fused"),
        lambda: keras.layers.RNN(keras.layers.LSTMCell(H), return_sequences=True),
    ],
    ids=["keras", "ours, cell", "ours, fused", "RNN of a cell"],
)


def sequences():
    return arrays(1, (B, T, D))[0].astype("float32")


def weights_of(wrapper):
    return oracle.Weights(*(np.asarray(value, "f8") for value in wrapper.layer.get_weights()[:3]))


def dropped_kernel(wrapper, seed):
    """What a fresh wrapper of this seed makes of the recurrent kernel in its first call."""
    generator = keras.random.SeedGenerator(seed)
    return np.asarray(keras.random.dropout(wrapper.layer.cell.recurrent_kernel.value, wrapper.rate, seed=generator))


@INSIDE
def test_training_runs_the_layer_on_a_kernel_with_some_weights_at_zero(make):
    wrapper = layers.WeightDrop(make(), rate=0.5, seed=3)
    wrapper.build((None, None, D))
    w = weights_of(wrapper)
    kernel = dropped_kernel(wrapper, 3)
    assert 0.3 < (kernel == 0).mean() < 0.7
    np.testing.assert_allclose(kernel[kernel != 0], 2 * w.recurrent_kernel[kernel != 0], rtol=1e-6)
    x, zeros = sequences(), np.zeros((B, H))
    want = oracle.lstm(x.astype("f8"), zeros, zeros, oracle.Weights(w.kernel, kernel.astype("f8"), w.bias))
    close(wrapper(x, training=True), want.sequence)


@INSIDE
def test_gradients_reach_the_weights_that_were_kept_and_no_others(make):
    wrapper = layers.WeightDrop(make(), rate=0.5, seed=3)
    wrapper.build((None, None, D))
    w, kernel = weights_of(wrapper), dropped_kernel(wrapper, 3)
    x, zeros = sequences(), np.zeros((B, H))
    (d_sequence,) = arrays(2, (B, T, H))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wrapper(x, training=True) * d_sequence.astype("f"))
    got = tape.gradient(loss, [weight.value for weight in wrapper.trainable_weights])
    dropped = oracle.Weights(w.kernel, kernel.astype("f8"), w.bias)
    want = oracle.lstm_gradients(x.astype("f8"), zeros, zeros, dropped, d_sequence, zeros, zeros)
    close(got[0], want.kernel, 2e-5)
    close(got[1], want.recurrent_kernel * np.where(kernel == 0, 0, 2), 4e-5)
    close(got[2], want.bias, 2e-5)


@INSIDE
def test_inference_runs_the_layer_as_it_is(make):
    wrapper = layers.WeightDrop(make(), rate=0.5)
    x = sequences()
    np.testing.assert_array_equal(wrapper(x, training=False), wrapper.layer(x))


def test_every_call_draws_anew_and_leaves_the_weights_as_they_were():
    wrapper = layers.WeightDrop(keras.layers.GRU(H), rate=0.5)
    x = sequences()
    wrapper(x)
    before = wrapper.get_weights()
    first, second = np.asarray(wrapper(x, training=True)), np.asarray(wrapper(x, training=True))
    assert np.abs(first - second).max() > 1e-3
    for mine, theirs in zip(wrapper.get_weights()[:3], before[:3], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert any(weight is wrapper.layer.cell.recurrent_kernel for weight in wrapper.trainable_weights)


def test_both_sides_of_a_bidirectional_layer_drop():
    wrapper = layers.WeightDrop(keras.layers.Bidirectional(layers.LSTM(H)), rate=0.9)
    x = sequences()
    without = np.asarray(wrapper(x))
    dropped = np.asarray(wrapper(x, training=True))
    assert np.abs(without - dropped)[:, :H].max() > 1e-3 and np.abs(without - dropped)[:, H:].max() > 1e-3


def test_the_layer_inside_stays_eligible_for_its_fast_path():
    wrapper = layers.WeightDrop(layers.LSTM(H), rate=0.5)
    wrapper.build((None, None, D))
    assert wrapper.layer.explain_path((B, T, D)).runs == "fused"


def test_masks_and_states_pass_through():
    wrapper = layers.WeightDrop(keras.layers.LSTM(H, return_sequences=True, return_state=True), rate=0.5)
    x, states = sequences(), [value.astype("f") for value in arrays(5, (B, H), (B, H))]
    mask = np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1], [1] * 6], bool)
    got, want = (run(x, initial_state=states, mask=mask) for run in (wrapper, wrapper.layer))
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    inputs = keras.Input((None, D))
    model = keras.Model(inputs, layers.WeightDrop(keras.layers.GRU(2))(keras.layers.Masking()(inputs)))
    padded = np.concatenate([x, np.zeros((B, 3, D), "f")], 1)
    close(model(padded), model(x))


@thorough
def test_a_model_trains_and_survives_its_file(tmp_path):
    keras.utils.set_random_seed(0)
    wrapper = layers.WeightDrop(layers.LSTM(H), rate=0.25, seed=1)
    model = keras.Sequential([keras.Input((T, D)), wrapper, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    history = model.fit(sequences(), np.array([[1.0], [-1.0], [0.0]]), epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert (copy.layers[0].rate, copy.layers[0].seed) == (0.25, 1)
    close(copy(sequences()), model(sequences()))


@pytest.mark.parametrize("rate", [1.0, 7.0, -0.1, None])
def test_a_rate_out_of_range_raises(rate):
    with pytest.raises(ValueError, match="is not a dropout rate") as error:
        layers.WeightDrop(keras.layers.LSTM(H), rate=rate)
    assert str(error.value) == f"rate={rate!r} is not a dropout rate: give a number from 0 up to, not including, 1."


def test_bidirectional_around_it_is_told_to_stand_inside():
    with pytest.raises(InvalidInput) as error:
        keras.layers.Bidirectional(layers.WeightDrop(keras.layers.LSTM(H)))
    assert str(error.value).splitlines()[0] == (
        "WeightDrop cannot stand inside Bidirectional: put it around, as WeightDrop(Bidirectional(layer))."
    )


def test_a_layer_without_a_recurrent_kernel_raises():
    with pytest.raises(InvalidInput) as error:
        layers.WeightDrop(layers.MinGRU(H, name="inner")).build((None, None, D))
    assert str(error.value) == (
        "WeightDrop found no recurrent_kernel to drop in layer 'inner' (MinGRU): "
        "wrap a layer whose state is multiplied by one."
    )
