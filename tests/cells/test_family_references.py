"""The LSTM family beside layers of PyTorch that compute the same, where PyTorch is installed."""

import numpy as np
import pytest

from tests.cells.family import FAMILY, B, D, H, P, T, arrays, close, given
from zoo import layers

torch = pytest.importorskip("torch", reason="the package torch is not installed")
pytestmark = [
    # Keras 3 variables have an `__array__` without NumPy 2's `copy` argument.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # PyTorch says which of its own kernels it takes.
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning"),
]


def filled(layer, **weights):
    """A layer of PyTorch with the weights given; the others are zero."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            value = weights.get(name)
            parameter.copy_(torch.zeros_like(parameter) if value is None else torch.tensor(value))
    return layer


def test_a_projected_lstm_is_torchs_lstm_with_proj_size():
    mine = layers.ProjectedLSTM(H, P, return_sequences=True, return_state=True)
    w = given(mine, FAMILY["ProjectedLSTM"].weights)
    theirs = filled(
        torch.nn.LSTM(D, H, proj_size=P, batch_first=True),
        weight_ih_l0=w["kernel"].T,
        weight_hh_l0=w["recurrent_kernel"].T,
        bias_ih_l0=w["bias"],
        weight_hr_l0=w["projection_kernel"].T,
    )
    x, h, c = (value.astype("f") for value in arrays(1, (B, T, D), (B, P), (B, H)))
    want, (want_h, want_c) = theirs(torch.tensor(x), (torch.tensor(h)[None], torch.tensor(c)[None]))
    got = mine(x, initial_state=[h, c])
    for value, expected in zip(got, (want, want_h[0], want_c[0]), strict=True):
        close(value, expected.detach().numpy())


def test_a_coupled_lstm_is_torchs_lstm_whose_forget_gate_mirrors_its_input_gate():
    mine = layers.CoupledLSTM(H, return_sequences=True)
    w = given(mine, FAMILY["CoupledLSTM"].weights)

    def with_forget_gate(weight):
        i, g, o = np.split(weight, 3, -1)
        return np.concatenate([i, -i, g, o], -1)

    theirs = filled(
        torch.nn.LSTM(D, H, batch_first=True),
        weight_ih_l0=with_forget_gate(w["kernel"]).T,
        weight_hh_l0=with_forget_gate(w["recurrent_kernel"]).T,
        bias_ih_l0=with_forget_gate(w["bias"]),
    )
    x = arrays(1, (B, T, D))[0].astype("f")
    close(mine(x), theirs(torch.tensor(x))[0].detach().numpy())


def test_an_ind_rnn_is_torchs_rnn_with_a_diagonal_matrix():
    mine = layers.IndRNN(H, return_sequences=True)
    w = given(mine, FAMILY["IndRNN"].weights)
    theirs = filled(
        torch.nn.RNN(D, H, nonlinearity="relu", batch_first=True),
        weight_ih_l0=w["kernel"].T,
        weight_hh_l0=np.diag(w["recurrent_kernel"]),
        bias_ih_l0=w["bias"],
    )
    x = arrays(1, (B, T, D))[0].astype("f")
    close(mine(x), theirs(torch.tensor(x))[0].detach().numpy())
