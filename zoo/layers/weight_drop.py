import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from zoo.cells.dropout import check_rate
from zoo.errors import InvalidInput


@keras.saving.register_keras_serializable(package="zoo")
class WeightDrop(keras.layers.Wrapper):
    """Drops recurrent weights of the layer inside, not activations: the same ones for a whole batch and all its steps.

        U' = dropout(U, rate)        in training; every `recurrent_kernel` inside, drawn once a call, before the loop

    The layer inside runs as it would without: it stays eligible for its fast paths, fused and cuDNN.
    layer:   any recurrent layer, `Bidirectional` (put the wrapper around it, not inside), or a stack of them.
    rate:    share of the weights that are 0 in a batch; the others are scaled by 1 / (1 - rate).
    Shapes, masks and states are those of the layer; outside training the wrapper does nothing.
    Raises:  InvalidInput if the rate is outside [0, 1), inside `Bidirectional`, or, when built, if nothing in it has a
             `recurrent_kernel`.
    Source:  Merity, Keskar & Socher 2017, arXiv:1708.02182, section 2.

    >>> import numpy as np
    >>> layer = WeightDrop(keras.layers.LSTM(8, return_sequences=True), rate=0.5)
    >>> layer(np.zeros((2, 5, 3), "float32"), training=True).shape
    TensorShape([2, 5, 8])
    """

    def __init__(self, layer: Any, rate: float = 0.5, *, seed: int | None = None, **kwargs: Any) -> None:
        check_rate("rate", rate)
        if "go_backwards" in kwargs:  # by which `Bidirectional` makes its second side
            raise InvalidInput(
                "WeightDrop cannot stand inside Bidirectional: put it around, as WeightDrop(Bidirectional(layer))."
            )
        super().__init__(layer, **{"dtype": layer.dtype_policy, **kwargs})
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape)
        if not self._cells():
            raise InvalidInput(
                f"WeightDrop found no recurrent_kernel to drop in layer {self.layer.name!r} "
                f"({type(self.layer).__name__}): wrap a layer whose state is multiplied by one."
            )

    def call(self, sequences, initial_state=None, mask=None, training=False):
        arguments = {} if initial_state is None else {"initial_state": initial_state}
        with contextlib.ExitStack() as undo:
            if training and self.rate:
                for cell in self._cells():
                    kernel = keras.ops.convert_to_tensor(cell.recurrent_kernel)
                    dropped = keras.random.dropout(kernel, self.rate, seed=self.seed_generator)
                    undo.enter_context(_holding(cell, dropped))
            return self.layer(sequences, mask=mask, training=training, **arguments)

    def _cells(self) -> list[Any]:
        parts = self.layer._flatten_layers(recursive=True)
        return [part for part in parts if getattr(part, "recurrent_kernel", None) is not None]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        return self.layer.compute_output_shape(sequences_shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@contextlib.contextmanager
def _holding(cell: Any, kernel: Any) -> Iterator[None]:
    """The cell with another `recurrent_kernel`, past the tracking of its weights: they stay what they are."""
    weight = cell.__dict__["recurrent_kernel"]
    cell.__dict__["recurrent_kernel"] = kernel
    try:
        yield
    finally:
        cell.__dict__["recurrent_kernel"] = weight
