"""The NumPy reference of every recurrent cell: forward over time, and backpropagation through time by hand, in float64.

Written from the equations in the cells' docstrings, not from the cells. B batch, T time, D features, H units;
x [B, T, D]; states [B, H]; mask bool [B, T] or None. A masked step keeps the states and repeats the output before it
(zeros if there is none). Activations are tanh and the logistic sigmoid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Weights:
    """kernel [D, g H], recurrent_kernel [H, g H], bias [g H], or [2, g H] where a GRU has a bias on either side, or
    None; g is 4 for an LSTM, 3 for a GRU, 1 for a SimpleRNN."""

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None

    @property
    def units(self) -> int:
        return self.recurrent_kernel.shape[0]


@dataclass(frozen=True)
class Run:
    """sequence [B, T, H] and the states after the last step."""

    sequence: Array
    states: tuple[Array, ...]


@dataclass(frozen=True)
class Gradients:
    """The derivative of one scalar with respect to everything that goes in; shapes as what they belong to."""

    x: Array
    states: tuple[Array, ...]
    kernel: Array
    recurrent_kernel: Array
    bias: Array | None


def sigmoid(a: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * a))


# ---------------------------------------------------------------------------------------------------- LSTM


def lstm_step(x: Array, h: Array, c: Array, w: Weights) -> tuple[Array, Array]:
    i, f, g, o = _lstm_gates(x, h, w)
    c = f * c + i * g
    return o * np.tanh(c), c


def lstm(x: Array, h: Array, c: Array, w: Weights, mask: Array | None = None) -> Run:
    return _over_time(lambda x, states: lstm_step(x, *states, w), x, (h, c), mask)


def lstm_gradients(x: Array, h: Array, c: Array, w: Weights, d_sequence: Array, d_h: Array, d_c: Array) -> Gradients:
    """The gradients of sum(sequence * d_sequence) + sum(h_T * d_h) + sum(c_T * d_c)."""
    states = [(h, c)]
    for t in range(x.shape[1]):
        states.append(lstm_step(x[:, t], *states[-1], w))
    gradients = _Accumulator(x, w)
    for t in reversed(range(x.shape[1])):
        (h, c), (_, c_next) = states[t], states[t + 1]
        i, f, g, o = _lstm_gates(x[:, t], h, w)
        d_h = d_h + d_sequence[:, t]
        d_c = d_c + d_h * o * (1 - np.tanh(c_next) ** 2)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * c * f * (1 - f)
        d_g = d_c * i * (1 - g**2)
        d_o = d_h * np.tanh(c_next) * o * (1 - o)
        d_z = np.concatenate([d_i, d_f, d_g, d_o], -1)
        gradients.add_input(t, d_z)
        gradients.recurrent_kernel += h.T @ d_z
        gradients.bias += d_z.sum(0)
        d_h, d_c = d_z @ w.recurrent_kernel.T, d_c * f
    return gradients.finish((d_h, d_c))


def _lstm_gates(x: Array, h: Array, w: Weights) -> tuple[Array, Array, Array, Array]:
    z = x @ w.kernel + h @ w.recurrent_kernel + (0 if w.bias is None else w.bias)
    i, f, g, o = np.split(z, 4, -1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


# ----------------------------------------------------------------------------------------------------- GRU


def gru_step(x: Array, h: Array, w: Weights, reset_after: bool) -> Array:
    z, _, n, _ = _gru_gates(x, h, w, reset_after)
    return z * h + (1 - z) * n


def gru(x: Array, h: Array, w: Weights, reset_after: bool = True, mask: Array | None = None) -> Run:
    return _over_time(lambda x, states: (gru_step(x, states[0], w, reset_after),), x, (h,), mask)


def gru_gradients(x: Array, h: Array, w: Weights, d_sequence: Array, d_h: Array, reset_after: bool = True) -> Gradients:
    """The gradients of sum(sequence * d_sequence) + sum(h_T * d_h)."""
    states = [h]
    for t in range(x.shape[1]):
        states.append(gru_step(x[:, t], states[-1], w, reset_after))
    gradients = _Accumulator(x, w)
    backward = _gru_backward_after if reset_after else _gru_backward_before
    for t in reversed(range(x.shape[1])):
        d_h = backward(t, x[:, t], states[t], w, d_h + d_sequence[:, t], gradients)
    return gradients.finish((d_h,))


def _gru_gates(x: Array, h: Array, w: Weights, reset_after: bool) -> tuple[Array, Array, Array, Array]:
    """z, r, n, and what r multiplies: h U_n + d_n with `reset_after`, else h."""
    u_z, u_r, u_n = np.split(w.recurrent_kernel, 3, -1)
    b, d = _gru_biases(w, reset_after)
    x_z, x_r, x_n = np.split(x @ w.kernel + b, 3, -1)
    d_z, d_r, d_n = np.split(d, 3, -1)
    z, r = sigmoid(x_z + h @ u_z + d_z), sigmoid(x_r + h @ u_r + d_r)
    if reset_after:
        return z, r, np.tanh(x_n + r * (h @ u_n + d_n)), h @ u_n + d_n
    return z, r, np.tanh(x_n + (r * h) @ u_n), h


def _gru_biases(w: Weights, reset_after: bool) -> tuple[Array, Array]:
    zeros = np.zeros(3 * w.units)
    if w.bias is None:
        return zeros, zeros
    return (w.bias[0], w.bias[1]) if reset_after else (w.bias, zeros)


def _gru_backward_after(t: int, x: Array, h: Array, w: Weights, d_h: Array, gradients: "_Accumulator") -> Array:
    z, r, n, m = _gru_gates(x, h, w, reset_after=True)
    d_z = d_h * (h - n) * z * (1 - z)
    d_n = d_h * (1 - z) * (1 - n**2)
    d_r = d_n * m * r * (1 - r)
    of_input, of_hidden = np.concatenate([d_z, d_r, d_n], -1), np.concatenate([d_z, d_r, d_n * r], -1)
    gradients.add_input(t, of_input)
    gradients.recurrent_kernel += h.T @ of_hidden
    gradients.bias += np.stack([of_input.sum(0), of_hidden.sum(0)])
    return d_h * z + of_hidden @ w.recurrent_kernel.T


def _gru_backward_before(t: int, x: Array, h: Array, w: Weights, d_h: Array, gradients: "_Accumulator") -> Array:
    z, r, n, _ = _gru_gates(x, h, w, reset_after=False)
    u_zr, u_n = np.split(w.recurrent_kernel, [2 * w.units], -1)
    d_z = d_h * (h - n) * z * (1 - z)
    d_n = d_h * (1 - z) * (1 - n**2)
    d_rh = d_n @ u_n.T
    d_r = d_rh * h * r * (1 - r)
    d_zr, d_all = np.concatenate([d_z, d_r], -1), np.concatenate([d_z, d_r, d_n], -1)
    gradients.add_input(t, d_all)
    gradients.recurrent_kernel += np.concatenate([h.T @ d_zr, (r * h).T @ d_n], -1)
    gradients.bias += d_all.sum(0)
    return d_h * z + d_rh * r + d_zr @ u_zr.T


# ----------------------------------------------------------------------------------------------- SimpleRNN


def simple_rnn(x: Array, h: Array, w: Weights, mask: Array | None = None) -> Run:
    """h' = tanh(x W + h U + b)"""
    bias = 0 if w.bias is None else w.bias
    return _over_time(lambda x, s: (np.tanh(x @ w.kernel + s[0] @ w.recurrent_kernel + bias),), x, (h,), mask)


# -------------------------------------------------------------------------------------------------- shared


def _over_time(
    step: Callable[[Array, tuple[Array, ...]], tuple[Array, ...]],
    x: Array,
    states: tuple[Array, ...],
    mask: Array | None,
) -> Run:
    output, outputs = np.zeros_like(states[0]), []
    for t in range(x.shape[1]):
        valid = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        states = tuple(np.where(valid, *both) for both in zip(step(x[:, t], states), states, strict=True))
        output = np.where(valid, states[0], output)
        outputs.append(output)
    return Run(np.stack(outputs, 1), states)


class _Accumulator:
    """The gradients that add up over time."""

    def __init__(self, x: Array, w: Weights) -> None:
        self.inputs, self.weights = x, w
        self.x = np.zeros_like(x)
        self.kernel, self.recurrent_kernel = np.zeros_like(w.kernel), np.zeros_like(w.recurrent_kernel)
        self.bias: Any = 0.0

    def add_input(self, t: int, d_projection: Array) -> None:
        """The part of step t that goes through x W."""
        self.x[:, t] = d_projection @ self.weights.kernel.T
        self.kernel += self.inputs[:, t].T @ d_projection

    def finish(self, states: Sequence[Array]) -> Gradients:
        bias = None if self.weights.bias is None else self.bias
        return Gradients(self.x, tuple(states), self.kernel, self.recurrent_kernel, bias)
