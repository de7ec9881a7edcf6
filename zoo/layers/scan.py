"""All steps of h_t = keep_t * h_(t-1) + write_t at once, forward and backward, in `keras.ops` on every backend."""

from typing import Any

from keras import ops

_CHUNK = 16


def linear_scan(keep: Any, write: Any) -> Any:
    """keep, write [B, T, H] -> h [B, T, H] from h_0 = 0; T may be unknown when the graph is traced.

    The gradient is a scan too, over the same `keep` in the other direction, and needs nothing but `keep` and h: memory
    is that of three sequences however deep the scan. `keras.ops.associative_scan` keeps every level, and wants T known.
    """

    @ops.custom_gradient
    def scan(keep: Any, write: Any) -> Any:
        h = _scan(keep, write)

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
            (d_h,) = args if upstream is None else (upstream,)
            later = ops.flip(_shifted(ops.flip(keep, axis=1)), axis=1)  # keep_(t+1), 0 after the last step
            d_write = ops.flip(_scan(ops.flip(later, axis=1), ops.flip(d_h, axis=1)), axis=1)
            return d_write * _shifted(h), d_write

        return h, gradient

    return scan(keep, write)


def _shifted(x: Any) -> Any:
    """x one step later, zeros first."""
    return ops.concatenate([ops.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def _scan(keep: Any, write: Any) -> Any:
    """Chunks of 16 steps, each step of all chunks at once; then, 16 times shorter, the states at their borders."""
    steps = ops.shape(keep)[1]
    keeps, writes = (ops.unstack(_in_chunks(x), _CHUNK, axis=2) for x in (keep, write))
    products, sums = [keeps[0]], [writes[0]]  # of a chunk up to and with each step, from a state of zero
    for k, w in zip(keeps[1:], writes[1:], strict=True):
        products.append(k * products[-1])
        sums.append(k * sums[-1] + w)
    borders = _shifted(_doubling(products[-1], sums[-1]))
    h = ops.stack([p * borders + s for p, s in zip(products, sums, strict=True)], axis=2)
    return ops.reshape(h, (ops.shape(h)[0], -1, h.shape[-1]))[:, :steps]


def _in_chunks(x: Any) -> Any:
    """[B, T, H] -> [B, T / 16, 16, H], filled up with zeros."""
    batch, steps, _ = ops.shape(x)
    x = ops.concatenate([x, ops.zeros((batch, -steps % _CHUNK, x.shape[-1]), dtype=x.dtype)], axis=1)
    return ops.reshape(x, (batch, -1, _CHUNK, x.shape[-1]))


def _doubling(keep: Any, write: Any) -> Any:
    """The same scan in log2(T) rounds over the whole length: after round n each step has gathered 2^n steps."""
    steps = ops.shape(keep)[1]
    places = ops.arange(steps)[:, None]

    def round_(distance: Any, keep: Any, write: Any) -> Any:
        there = places >= distance
        earlier_keep = ops.where(there, ops.roll(keep, distance, axis=1), 1)
        earlier_write = ops.where(there, ops.roll(write, distance, axis=1), 0)
        return 2 * distance, keep * earlier_keep, keep * earlier_write + write

    if isinstance(steps, int):
        distance = 1
        while distance < steps:
            distance, keep, write = round_(distance, keep, write)
        return write
    return ops.while_loop(lambda distance, *_: distance < steps, round_, (1, keep, write))[2]
