"""One training step of a recurrent layer, forward and backward, in each library, on the same weights and input.

The loss is the mean square of the whole output sequence. B batch, T steps, D features, H units.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], float]  # runs one step and returns its loss
GATES = {"lstm": 4, "gru": 3}


class Point(NamedTuple):
    """The size of a problem."""

    batch: int
    steps: int
    features: int
    units: int

    def operations(self, cell: str) -> int:
        """Floating-point operations of the matrix products in a training step: one product with the input and one with
        the state forward; backward the state's again, and the gradients of both weights."""
        per_step = 2 * self.features + 3 * self.units
        return 2 * self.batch * self.steps * GATES[cell] * self.units * per_step


def problem(cell: str, point: Point) -> tuple[np.ndarray, list[np.ndarray]]:
    """x [B, T, D] and weights in Keras' layout, float32."""
    rng, width = np.random.default_rng(0), GATES[cell] * point.units
    x = rng.standard_normal((point.batch, point.steps, point.features))
    scale = 1 / np.sqrt(point.units)
    bias_shape = (2, width) if cell == "gru" else (width,)
    shapes = [(point.features, width), (point.units, width), bias_shape]
    return x.astype("float32"), [rng.uniform(-scale, scale, shape).astype("float32") for shape in shapes]


def zoo_step(cell: str, point: Point) -> Step:
    """`zoo.layers`, on the path it picks itself, in a graph whose batch is free, as `fit` makes it."""
    from zoo import layers

    return _keras_step({"lstm": layers.LSTM, "gru": layers.GRU}[cell], cell, point)


def keras_step(cell: str, point: Point) -> Step:
    """`keras.layers`, in the same graph."""
    from keras import layers

    return _keras_step({"lstm": layers.LSTM, "gru": layers.GRU}[cell], cell, point)


def _keras_step(kind: Any, cell: str, point: Point) -> Step:
    import tensorflow as tf

    values, weights = problem(cell, point)
    layer = kind(point.units, return_sequences=True)
    layer.build(values.shape)
    layer.set_weights(weights)
    variables = [variable.value for variable in layer.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, *values.shape[1:]])], autograph=False)
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x, training=True)))
        return loss, tape.gradient(loss, variables)

    x = tf.constant(values)
    return lambda: float(step(x)[0])


def torch_step(cell: str, point: Point, device: str = "cpu") -> Step:
    """`torch.nn.LSTM` or `torch.nn.GRU`. Raises MissingDependency if PyTorch is not installed."""
    from zoo.benchmarks.torch_twin import import_torch, recurrent

    torch = import_torch()
    values, weights = problem(cell, point)
    peer, x = recurrent(cell, [weights]).to(device), torch.from_numpy(values).to(device)

    def step() -> float:
        peer.zero_grad()
        loss = peer(x)[0].square().mean()
        loss.backward()
        peer.bias_hh_l0.grad[0].item()  # a GPU is only then done with the backward pass
        return loss.item()

    return step


STEPS: dict[str, Callable[[str, Point], Step]] = {"zoo": zoo_step, "keras": keras_step, "torch": torch_step}
