"""The LSTM over a whole sequence, forward and backward by hand. TensorFlow only; see `zoo.cells.LSTMCell`.

    a = tanh(half (x W + h U + b))         half: 0.5 for the gates i, f, o, and 1 for g, which is tanh as it is
    i, f, o = 0.5 a + 0.5;  g = a          so that one tanh computes all four
    c' = f c + i g;  h' = o tanh(c')

Backward, with d_h and d_c the gradients of the states after a step:

    d_c += d_h o (1 - tanh(c')²)
    d_a  = (1 - a²) [0.5 g d_c, 0.5 c d_c, i d_c, 0.5 tanh(c') d_h]
    d_h, d_c = d_a (half U)ᵀ, f d_c

All that multiplies d_h and d_c is computed for every step at once before the loop, the gradients of the weights
after it. The weights come with half multiplied in.
Source:  Hochreiter & Schmidhuber 1997; Werbos 1990, Proceedings of the IEEE 78(10).
"""

import tensorflow as tf

from zoo.layers.fused_time import (
    Kernel,
    Tensor,
    Tensors,
    array,
    backwards,
    blank,
    correlate,
    earlier,
    forwards,
    project,
)


def _forward(
    x: Tensor, states: Tensors, weights: Tensors, mask: Tensor | None, steps: Tensor
) -> tuple[Tensor, Tensors, Tensors]:
    units = states[0].shape[-1]
    kernel, recurrent, bias = weights

    def step(t, h, c, gates, cs, hs):
        a = tf.tanh(gates.read(t) + tf.matmul(h, recurrent))
        i, f, g, o = tf.split(a, 4, -1)
        new_c = (0.5 * f + 0.5) * c + (0.5 * i + 0.5) * g
        new_h = (0.5 * o + 0.5) * tf.tanh(new_c)
        if mask is not None:
            new_h, new_c = tf.where(mask[t], new_h, h), tf.where(mask[t], new_c, c)
        return new_h, new_c, gates.write(t, a), cs.write(t, new_c), hs.write(t, new_h)

    gates = array(project(x, kernel) + bias)
    h, c, gates, cs, hs = forwards(steps, step, *states, gates, blank(x, units), blank(x, units))
    return hs.stack(), (h, c), (gates.stack(), cs.stack())


def _backward(
    x: Tensor,
    states: Tensors,
    weights: Tensors,
    mask: Tensor | None,
    steps: Tensor,
    hs: Tensor,
    kept: Tensors,
    d_hs: Tensor | None,
    d_finals: Tensors,
) -> tuple[Tensor, Tensors, Tensors]:
    transposed = tf.transpose(weights[1])
    slopes, to_c, forget = _slopes(states[1], *kept)
    if mask is not None:
        slopes, to_c, forget = tf.where(mask, slopes, 0), tf.where(mask, to_c, 0), tf.where(mask, forget, 1)
        idle = 1 - tf.cast(mask, x.dtype)

    def step(t, d_h, d_c, d_gates):
        if d_hs is not None:
            d_h = d_h + d_hs[t]
        d_c = d_c + d_h * to_c[t]
        d_a = slopes[t] * tf.concat([d_c, d_c, d_c, d_h], -1)
        before = tf.matmul(d_a, transposed)
        if mask is not None:
            before = before + idle[t] * d_h
        return before, d_c * forget[t], d_gates.write(t, d_a)

    d_h, d_c, d_gates = backwards(steps, step, *d_finals, blank(x, 4 * hs.shape[-1]))
    d = d_gates.stack()
    return d, (d_h, d_c), (correlate(x, d), correlate(earlier(states[0], hs), d), tf.reduce_sum(d, [0, 1]))


def _slopes(start: Tensor, gates: Tensor, cs: Tensor) -> Tensors:
    """What multiplies d_c and d_h at every step: [T, B, 4H] to the gates; [T, B, H] from h to c, and from c to c."""
    i, f, g, o = tf.split(gates, 4, -1)
    tanh_c = tf.tanh(cs)
    factors = tf.concat([0.5 * g, 0.5 * earlier(start, cs), 0.5 * i + 0.5, 0.5 * tanh_c], -1)
    return (1 - gates * gates) * factors, (0.5 * o + 0.5) * (1 - tanh_c * tanh_c), 0.5 * f + 0.5


LSTM_KERNEL = Kernel("ssts", _forward, _backward)
