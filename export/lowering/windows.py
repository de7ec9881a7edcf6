"""Convolution and pooling over time, chunk by chunk: what is kept of the past, and where the next window starts."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import lcm
from typing import Any

import tensorflow as tf
from keras import layers

from export.lowering.ledger import Ledger
from export.lowering.locality import refusal
from export.lowering.trace import Replacements, Tracer

CONVOLUTIONS = (layers.Conv1D, layers.SeparableConv1D, layers.DepthwiseConv1D)
POOLINGS = (layers.MaxPooling1D, layers.AveragePooling1D)


def convolution(ledger: Ledger, tracer: Tracer, layer: Any) -> Replacements:
    whole = layer.call
    span = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1

    def apply(x: tf.Tensor) -> tf.Tensor:
        with _unpadded(layer):
            return whole(x)

    def call(inputs: tf.Tensor) -> tf.Tensor:
        if not ledger.moves(inputs):
            return whole(inputs)
        if layer.padding != "causal" and span > 1:
            why = f"padding={layer.padding!r} lets its kernel of {span} steps read later ones"
            raise refusal(layer, why, "Use padding='causal', or export without streaming")
        return _Window(layer, span, layer.strides[0], True, apply).run(ledger, inputs)

    return {"call": call}


def pooling(ledger: Ledger, tracer: Tracer, layer: Any) -> Replacements:
    whole = layer.call
    span, stride = _size(layer.pool_size), _size(layer.strides)

    def call(inputs: tf.Tensor) -> tf.Tensor:
        if not ledger.moves(inputs):
            return whole(inputs)
        if layer.padding != "valid" and span > 1:
            why = f"padding={layer.padding!r} pads the end of the sequence"
            raise refusal(layer, why, "Use padding='valid', or export without streaming")
        return _Window(layer, span, stride, False, whole).run(ledger, inputs)

    return {"call": call}


@dataclass(frozen=True)
class _Window:
    """A layer that reads `span` steps at a time, `stride` steps apart. The first window of a causal one ends at the
    first step, with zeros before it; the first window of another starts there."""

    layer: Any
    span: int
    stride: int
    causal: bool
    apply: Callable[[tf.Tensor], tf.Tensor]

    def run(self, ledger: Ledger, x: tf.Tensor) -> tf.Tensor:
        if self.stride == 1 and self.causal:
            return self._sliding(ledger, x)
        if self.span == self.stride == 1:
            return self.apply(x)
        return self._any_chunk(ledger, x) if ledger.chunk is None else self._whole_windows(ledger, x)

    def _sliding(self, ledger: Ledger, x: tf.Tensor) -> tf.Tensor:
        """The first window of every chunk ends at its first step. Strides before it may leave a chunk without a step:
        runtimes fail on those, so one step of zeros is added and its output taken off."""
        joined = self._joined(ledger, x)
        if not ledger.may_be_empty(x):
            return self.apply(joined)
        behind = tf.zeros([tf.shape(x)[0], 1, *x.shape[2:]])
        return self.apply(tf.concat([joined, behind], 1))[:, :-1]

    def _joined(self, ledger: Ledger, x: tf.Tensor) -> tf.Tensor:
        """The steps kept of the past and the chunk."""
        kept = self.span - 1
        if not kept:
            return x
        place, (buffer,) = ledger.read(self.layer, {"buffer": (kept, *x.shape[2:])})
        joined = tf.concat([buffer, x], 1)
        ledger.write(place, [joined[:, -kept:]])
        return joined

    def _whole_windows(self, ledger: Ledger, x: tf.Tensor) -> tf.Tensor:
        """A chunk of fixed length that holds whole windows."""
        steps = x.shape[1]
        if not self.causal and self.span != self.stride:
            why = f"a fixed chunk does not hold windows of {self.span} steps that start every {self.stride}"
            raise refusal(self.layer, why, "Make its pool_size and strides equal, or export to ONNX")
        if steps is not None and steps % self.stride:
            assert ledger.chunk is not None
            why = f"its strides of {self.stride} do not divide the {steps} steps that reach it"
            raise refusal(self.layer, why, f"Give chunk={lcm(steps, self.stride) // steps * ledger.chunk}")
        return self._sliding(ledger, x) if self.causal else self.apply(x)

    def _any_chunk(self, ledger: Ledger, x: tf.Tensor) -> tf.Tensor:
        """`offset` says where in the joined steps the next window starts. The phase is the offset counted so that it
        is zero at the start. Zeros behind the steps keep the operator from an input shorter than its window."""
        first = 0 if self.causal else self.span - 1
        joined = self._joined(ledger, x)
        place, (phase,) = ledger.read(self.layer, {"phase": (1,)}, "int32")
        offset = first - _of_all_rows(phase) if first else _of_all_rows(phase)
        count = tf.maximum(tf.shape(joined)[1] - offset - self.span + self.stride, 0) // self.stride
        behind = tf.zeros([tf.shape(x)[0], self.span, *x.shape[2:]])
        outputs = self.apply(tf.concat([joined[:, offset:], behind], 1))[:, :count]
        offset += count * self.stride - tf.shape(x)[1]
        ledger.write(place, [tf.zeros_like(phase) + (first - offset if first else offset)])
        return outputs


def _of_all_rows(phase: tf.Tensor) -> tf.Tensor:
    """The one phase [B, 1] of a batch. Rows of streams at different phases do not mix: there the index is out of range,
    which every runtime refuses."""
    return tf.gather(phase[0], tf.reduce_max(phase) - tf.reduce_min(phase))


@contextlib.contextmanager
def _unpadded(layer: Any) -> Iterator[None]:
    padding = layer.padding
    layer.padding = "valid"
    try:
        yield
    finally:
        layer.padding = padding


def _size(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]
