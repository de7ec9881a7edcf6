"""What minGRU and minLSTM share: a state that enters its next value linearly, so that a scan computes all at once."""

from abc import abstractmethod
from typing import Any

from zoo.cells.gated import Config, GatedCell
from zoo.errors import InvalidInput

_UNUSED = (
    "recurrent_activation",
    "recurrent_initializer",
    "recurrent_regularizer",
    "recurrent_constraint",
    "recurrent_dropout",
)


class LinearCell(GatedCell):
    """h' = keep * h + write, where `keep` in [0, 1] and `write` come from the input alone: there is no U.

    Takes the arguments of `GatedCell` but those of a recurrent kernel and of its gates, which are sigmoids.
    """

    def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
        unknown = sorted(kwargs.keys() & set(_UNUSED))
        if unknown:
            raise InvalidInput(
                f"{type(self).__name__} has no recurrent kernel and sigmoid gates: drop {', '.join(unknown)}."
            )
        super().__init__(units, activation, **kwargs)

    def build(self, input_shape: Any) -> None:
        width = len(self.gates) * self.units
        self.kernel = self.add_kernel("kernel", (input_shape[-1], width))
        self.bias = self.add_bias((width,)) if self.use_bias else None

    @abstractmethod
    def coefficients(self, x: Any) -> tuple[Any, Any]:
        """A projected input [..., G H] -> keep, write, each [..., H]."""

    def step(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        keep, write = self.coefficients(x)
        h = keep * states[0] + write
        return h, [h]

    def get_config(self) -> Config:
        return {name: value for name, value in super().get_config().items() if name not in _UNUSED}
