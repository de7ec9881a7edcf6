"""The GRU over a whole sequence, forward and backward by hand, in both forms. TensorFlow only; see `zoo.cells.GRUCell`.

    z, r = 0.5 tanh(0.5 (x W + h U + b)) + 0.5
    n = tanh(x Wn + bn + r m),  m = h Un + dn        `reset_after`, else  n = tanh(x Wn + bn + (r h) Un)
    h' = n + z (h - n)

Backward, with d_h the gradient of the state after a step and ' for the pre-activations, halved before a sigmoid:

    d_z' = d_h (h - n) 0.5 (1 - tanh_z²);  d_n' = d_h (1 - z) (1 - n²)
    d_r' = d_n' m 0.5 (1 - tanh_r²)        `reset_after`, else  d_r' = (d_n' Unᵀ) h 0.5 (1 - tanh_r²)

With `reset_after` all three are d_h times what is known before the loop, which then holds one product and one matmul.
The weights come with the halves multiplied in.
Source:  Cho et al. 2014, arXiv:1406.1078; Werbos 1990, Proceedings of the IEEE 78(10).
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


def _hold(mask: Tensor | None, t: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return new if mask is None else tf.where(mask[t], new, old)


def _forward_after(
    x: Tensor, states: Tensors, weights: Tensors, mask: Tensor | None, steps: Tensor
) -> tuple[Tensor, Tensors, Tensors]:
    units = states[0].shape[-1]
    kernel, recurrent, bias = weights

    def step(t, h, gates, ms, hs):
        x_zr, x_n = tf.split(gates.read(t), [2 * units, units], -1)
        h_zr, m = tf.split(tf.matmul(h, recurrent) + bias[1], [2 * units, units], -1)
        zr = tf.tanh(x_zr + h_zr)
        z, r = tf.split(0.5 * zr + 0.5, 2, -1)
        n = tf.tanh(x_n + r * m)
        new = _hold(mask, t, n + z * (h - n), h)
        return new, gates.write(t, tf.concat([zr, n], -1)), ms.write(t, m), hs.write(t, new)

    gates = array(project(x, kernel) + bias[0])
    h, gates, ms, hs = forwards(steps, step, *states, gates, blank(x, units), blank(x, units))
    return hs.stack(), (h,), (gates.stack(), ms.stack())


def _backward_after(
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
    gates, ms = kept
    transposed, h_before = tf.transpose(weights[1]), earlier(states[0], hs)
    to_z, to_n, of_r, r, carry = _slopes(gates, h_before, mask)
    to_r = to_n * ms * of_r
    to_hidden = tf.concat([to_z, to_r, to_n * r], -1)

    def step(t, d_h, d_all):
        if d_hs is not None:
            d_h = d_h + d_hs[t]
        before = d_h * carry[t] + tf.matmul(to_hidden[t] * tf.concat([d_h, d_h, d_h], -1), transposed)
        return before, d_all.write(t, d_h)

    d_h, d_all = backwards(steps, step, *d_finals, blank(x, hs.shape[-1]))
    d = tf.concat([d_all.stack()] * 3, -1)
    d_hidden, d_input = to_hidden * d, tf.concat([to_z, to_r, to_n], -1) * d
    d_bias = tf.stack([tf.reduce_sum(d_input, [0, 1]), tf.reduce_sum(d_hidden, [0, 1])])
    return d_input, (d_h,), (correlate(x, d_input), correlate(h_before, d_hidden), d_bias)


def _forward_before(
    x: Tensor, states: Tensors, weights: Tensors, mask: Tensor | None, steps: Tensor
) -> tuple[Tensor, Tensors, Tensors]:
    units = states[0].shape[-1]
    kernel, recurrent, bias = weights
    u_zr, u_n = tf.split(recurrent, [2 * units, units], -1)

    def step(t, h, gates, hs):
        x_zr, x_n = tf.split(gates.read(t), [2 * units, units], -1)
        zr = tf.tanh(x_zr + tf.matmul(h, u_zr))
        z, r = tf.split(0.5 * zr + 0.5, 2, -1)
        n = tf.tanh(x_n + tf.matmul(r * h, u_n))
        new = _hold(mask, t, n + z * (h - n), h)
        return new, gates.write(t, tf.concat([zr, n], -1)), hs.write(t, new)

    h, gates, hs = forwards(steps, step, *states, array(project(x, kernel) + bias), blank(x, units))
    return hs.stack(), (h,), (gates.stack(),)


def _backward_before(
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
    units = hs.shape[-1]
    u_zr, u_n = (tf.transpose(part) for part in tf.split(weights[1], [2 * units, units], -1))
    h_before = earlier(states[0], hs)
    to_z, to_n, of_r, r, carry = _slopes(kept[0], h_before, mask)
    to_r = h_before * of_r

    def step(t, d_h, d_gates):
        if d_hs is not None:
            d_h = d_h + d_hs[t]
        d_n = d_h * to_n[t]
        d_rh = tf.matmul(d_n, u_n)
        d_zr = tf.concat([d_h * to_z[t], d_rh * to_r[t]], -1)
        before = d_h * carry[t] + d_rh * r[t] + tf.matmul(d_zr, u_zr)
        return before, d_gates.write(t, tf.concat([d_zr, d_n], -1))

    d_h, d_gates = backwards(steps, step, *d_finals, blank(x, 3 * units))
    d = d_gates.stack()
    d_zr, d_n = tf.split(d, [2 * units, units], -1)
    d_recurrent = tf.concat([correlate(h_before, d_zr), correlate(r * h_before, d_n)], -1)
    return d, (d_h,), (correlate(x, d), d_recurrent, tf.reduce_sum(d, [0, 1]))


def _slopes(gates: Tensor, h_before: Tensor, mask: Tensor | None) -> Tensors:
    """From d_h to z' and n', of r' over r, r itself, and from d_h to the d_h before: [T, B, H] each."""
    tanh_z, tanh_r, n = tf.split(gates, 3, -1)
    z = 0.5 * tanh_z + 0.5
    to_z, to_n = (h_before - n) * 0.5 * (1 - tanh_z * tanh_z), (1 - z) * (1 - n * n)
    if mask is not None:
        to_z, to_n, z = tf.where(mask, to_z, 0), tf.where(mask, to_n, 0), tf.where(mask, z, 1)
    return to_z, to_n, 0.5 * (1 - tanh_r * tanh_r), 0.5 * tanh_r + 0.5, z


GRU_AFTER = Kernel("sst", _forward_after, _backward_after)
GRU_BEFORE = Kernel("sst", _forward_before, _backward_before)
