"""The NumPy reference of the LSTM family, in float64: one step of each cell, written from the equations of its paper.

A step takes x [B, D], the states, and the weights by name as the cell holds them; it returns the new states. Gates are
taken out one by one, by the place the cell's docstring gives them. B batch, T time, D features, H units.
"""

from collections.abc import Callable

import numpy as np

from tests.oracle import Run, _over_time, sigmoid

Array = np.ndarray
Weights = dict[str, Array]
Step = Callable[..., tuple[Array, ...]]


def gate(values: Array, place: int, units: int) -> Array:
    return values[..., place * units : (place + 1) * units]


def layer_norm(values: Array, gain: Array, epsilon: float = 1e-3) -> Array:
    mean = values.mean(-1, keepdims=True)
    return gain * (values - mean) / np.sqrt(((values - mean) ** 2).mean(-1, keepdims=True) + epsilon)


def layer_norm_lstm(x: Array, h: Array, c: Array, w: Weights) -> tuple[Array, ...]:
    units = c.shape[1]
    z = layer_norm(x @ w["kernel"], w["kernel_gain"]) + layer_norm(h @ w["recurrent_kernel"], w["recurrent_gain"])
    z = z + w["bias"]
    c = sigmoid(gate(z, 1, units)) * c + sigmoid(gate(z, 0, units)) * np.tanh(gate(z, 2, units))
    return sigmoid(gate(z, 3, units)) * np.tanh(layer_norm(c, w["cell_gain"]) + w["cell_bias"]), c


def layer_norm_gru(x: Array, h: Array, w: Weights) -> tuple[Array, ...]:
    units = h.shape[1]
    both, last = slice(0, 2 * units), slice(2 * units, 3 * units)
    (b, d), x_gain, h_gain = w["bias"], w["kernel_gain"], w["recurrent_gain"]
    of_x, of_h = x @ w["kernel"], h @ w["recurrent_kernel"]
    gates = sigmoid(
        layer_norm(of_x[:, both], x_gain[both]) + b[both] + layer_norm(of_h[:, both], h_gain[both]) + d[both]
    )
    z, r = gate(gates, 0, units), gate(gates, 1, units)
    recurrent = layer_norm(of_h[:, last], h_gain[last]) + d[last]
    n = np.tanh(layer_norm(of_x[:, last], x_gain[last]) + b[last] + r * recurrent)
    return (z * h + (1 - z) * n,)


def peephole_lstm(x: Array, h: Array, c: Array, w: Weights) -> tuple[Array, ...]:
    units = c.shape[1]
    z = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    i = sigmoid(gate(z, 0, units) + w["peephole"][0] * c)
    f = sigmoid(gate(z, 1, units) + w["peephole"][1] * c)
    c = f * c + i * np.tanh(gate(z, 2, units))
    return sigmoid(gate(z, 3, units) + w["peephole"][2] * c) * np.tanh(c), c


def coupled_lstm(x: Array, h: Array, c: Array, w: Weights) -> tuple[Array, ...]:
    units = c.shape[1]
    z = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    i = sigmoid(gate(z, 0, units))
    f = 1 - i
    c = f * c + i * np.tanh(gate(z, 1, units))
    return sigmoid(gate(z, 2, units)) * np.tanh(c), c


def projected_lstm(x: Array, h: Array, c: Array, w: Weights) -> tuple[Array, ...]:
    units = c.shape[1]
    z = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    c = sigmoid(gate(z, 1, units)) * c + sigmoid(gate(z, 0, units)) * np.tanh(gate(z, 2, units))
    return (sigmoid(gate(z, 3, units)) * np.tanh(c)) @ w["projection_kernel"], c


def minimal_gated(x: Array, h: Array, w: Weights) -> tuple[Array, ...]:
    units = h.shape[1]
    (w_f, w_n), (u_f, u_n) = (np.split(w[name], 2, -1) for name in ("kernel", "recurrent_kernel"))
    b_f, b_n = gate(w["bias"], 0, units), gate(w["bias"], 1, units)
    f = sigmoid(x @ w_f + h @ u_f + b_f)
    return ((1 - f) * h + f * np.tanh(x @ w_n + (f * h) @ u_n + b_n),)


def ind_rnn(x: Array, h: Array, w: Weights) -> tuple[Array, ...]:
    return (np.maximum(x @ w["kernel"] + w["recurrent_kernel"] * h + w["bias"], 0),)


def min_gru(x: Array, h: Array, w: Weights) -> tuple[Array, ...]:
    units, p = h.shape[1], x @ w["kernel"] + w["bias"]
    z = sigmoid(gate(p, 0, units))
    return ((1 - z) * h + z * gate(p, 1, units),)


def min_lstm(x: Array, h: Array, w: Weights) -> tuple[Array, ...]:
    units, p = h.shape[1], x @ w["kernel"] + w["bias"]
    f, i = sigmoid(gate(p, 0, units)), sigmoid(gate(p, 1, units))
    return (f / (f + i) * h + i / (f + i) * gate(p, 2, units),)


def zoneout(step: Step, rates: tuple[float, ...]) -> Step:
    """The step of any cell as it is in inference: every state keeps its share of the old one."""

    def blended(x: Array, *given: object) -> tuple[Array, ...]:
        *states, w = given
        new = step(x, *states, w)
        return tuple(rate * old + (1 - rate) * fresh for rate, old, fresh in zip(rates, states, new, strict=True))

    return blended


def over_time(step: Step, x: Array, states: tuple[Array, ...], w: Weights, mask: Array | None = None) -> Run:
    return _over_time(lambda x_t, now: step(x_t, *now, w), x, states, mask)
