"""`ChronoBias`: time scales spread over the data's, on the gates that keep and write."""

import keras
import numpy as np
import pytest

from zoo import layers
from zoo.cells import ChronoBias
from zoo.errors import InvalidInput

H, D = 200, 3


def bias_of(layer):
    layer.build((None, None, D))
    return np.asarray(layer.cell.bias)


LSTMS = [keras.layers.LSTM, layers.LSTM, layers.PeepholeLSTM, layers.LayerNormLSTM]


@pytest.mark.parametrize("kind", LSTMS)
def test_an_lstm_forgets_with_log_u_and_writes_with_minus_log_u(kind):
    i, f, g, o = np.split(bias_of(kind(H, bias_initializer=ChronoBias(600, H), unit_forget_bias=False)), 4)
    scale = np.exp(f)
    assert scale.min() >= 1 and scale.max() <= 599 and abs(scale.mean() - 300) < 60
    np.testing.assert_array_equal(i, -f)
    np.testing.assert_array_equal([g, o], 0)


@pytest.mark.parametrize(
    ("make", "signs"),
    [
        (lambda bias: keras.layers.GRU(H, bias_initializer=bias("gru")), (1, 0, 0)),
        (lambda bias: layers.GRU(H, bias_initializer=bias("gru"), reset_after=False), (1, 0, 0)),
        (lambda bias: layers.LayerNormGRU(H, bias_initializer=bias("gru")), (1, 0, 0)),
        (lambda bias: layers.CoupledLSTM(H, bias_initializer=bias("coupled_lstm")), (-1, 0, 0)),
        (lambda bias: layers.MinimalGated(H, bias_initializer=bias("minimal_gated")), (-1, 0)),
        (lambda bias: layers.MinGRU(H, bias_initializer=bias("min_gru")), (-1, 0)),
        (lambda bias: layers.MinLSTM(H, bias_initializer=bias("min_lstm")), (1, -1, 0)),
    ],
)
def test_the_gates_of_the_others_follow_what_they_do(make, signs):
    bias = bias_of(make(lambda gates: ChronoBias(100, H, gates=gates, seed=1)))
    if bias.ndim == 2:
        np.testing.assert_array_equal(bias[1], 0)
        bias = bias[0]
    blocks = np.split(bias, len(signs))
    scale = np.exp(np.abs(blocks[0]))
    assert scale.min() >= 1 and scale.max() <= 99 and scale.std() > 10
    for sign, block in zip(signs, blocks, strict=True):
        np.testing.assert_allclose(block, sign * np.log(scale), atol=1e-5)


@pytest.mark.parametrize(
    ("gates", "kind"), [("coupled_lstm", layers.CoupledLSTM), ("min_gru", layers.MinGRU), ("gru", layers.GRU)]
)
def test_a_unit_keeps_its_state_for_about_its_time_scale(gates, kind):
    """With zero input the share kept in a step is 1 - 1 / (1 + u)."""
    layer = kind(H, bias_initializer=ChronoBias(500, H, gates=gates), kernel_initializer="zeros", return_sequences=True)
    if gates == "gru":
        layer = kind(
            H, bias_initializer=ChronoBias(500, H, gates=gates), kernel_initializer="zeros",
            recurrent_initializer="zeros", return_sequences=True, path="cell",
        )  # fmt: skip
    if gates == "coupled_lstm":
        layer.cell.recurrent_initializer = keras.initializers.Zeros()
    start = [np.ones((1, H), "f")] * (2 if gates == "coupled_lstm" else 1)
    layer.return_state = True
    _, *finals = layer(np.zeros((1, 1, D), "f"), initial_state=start)
    kept = np.asarray(finals[-1])[0]
    scale = np.exp(np.abs(np.asarray(layer.cell.bias).reshape(-1)[:H]))
    np.testing.assert_allclose(kept, 1 - 1 / (1 + scale), atol=1e-5)


def test_a_seed_gives_the_same_biases_and_the_configuration_survives():
    initializer = ChronoBias(50, 4, gates="gru", seed=3)
    copy = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    assert copy.get_config() == {"longest": 50, "units": 4, "gates": "gru", "seed": 3}
    np.testing.assert_array_equal(initializer((2, 12)), copy((2, 12)))


def test_an_lstm_that_asks_for_its_bias_in_pieces_raises():
    with pytest.raises(InvalidInput) as error:
        bias_of(keras.layers.LSTM(8, bias_initializer=ChronoBias(600, 8)))
    assert str(error.value) == (
        "ChronoBias for 8 units of 'lstm' makes a bias of shape [32], not [8]: pass unit_forget_bias=False."
    )


def test_a_bias_of_another_layer_raises():
    with pytest.raises(InvalidInput) as error:
        bias_of(keras.layers.GRU(8, bias_initializer=ChronoBias(600, 4, gates="gru")))
    assert str(error.value) == (
        "ChronoBias for 4 units of 'gru' makes a bias of shape [12], not [2, 24]: "
        "give the units and gates of the layer."
    )


@pytest.mark.parametrize("longest", [2, 0, -5, float("nan"), float("inf")])
def test_a_time_that_is_too_short_or_no_number_raises(longest):
    with pytest.raises(InvalidInput) as error:
        ChronoBias(longest, 8)
    assert str(error.value) == (
        f"longest={longest!r} is no number of steps to spread time scales over: give 3 or more."
    )


def test_gates_of_no_cell_raise():
    with pytest.raises(InvalidInput) as error:
        ChronoBias(10, 8, gates="rnn")
    assert str(error.value) == (
        "gates='rnn' names no cell: use one of 'lstm', 'gru', 'coupled_lstm', 'minimal_gated', 'min_gru', 'min_lstm'."
    )
