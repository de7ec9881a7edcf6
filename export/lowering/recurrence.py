"""What a recurrent layer computes, freed from the layer: the one description every target lowers."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["lstm", "gru", "simple_rnn"]


@dataclass(frozen=True)
class Recurrence:
    """One direction of one recurrent layer: float32 weights in Keras' layout, B batch, D features, H units.

    kernel [D, g H], recurrent_kernel [H, g H], bias [g H], where g and the gate order are
    lstm: 4 (input, forget, cell candidate, output); gru: 3 (update, reset, candidate); simple_rnn: 1.
    A gru with `reset_after` has bias [2, 3 H]: input bias, recurrent bias. `use_bias=False` gives zeros.
    States: lstm [h, c], the others [h], each [B, H]. `returns_states` says that the model reads the final ones.
    Only an lstm has `peepholes` [3, H] (input, forget, output gate), or is `coupled`: its forget gate is one minus its
    input gate, and its weights say so too. `otherwise` is the same for targets that cannot express this.
    """

    name: str
    kind: Kind
    kernel: np.ndarray = field(repr=False)
    recurrent_kernel: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    activation: str
    recurrent_activation: str
    reset_after: bool
    backwards: bool
    returns_states: bool
    peepholes: np.ndarray | None = field(default=None, repr=False)
    coupled: bool = False
    otherwise: "Steps | None" = None

    @property
    def units(self) -> int:
        return int(self.recurrent_kernel.shape[0])

    @property
    def features(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("h", "c") if self.kind == "lstm" else ("h",)


@dataclass(frozen=True)
class Steps:
    """One direction of a layer whose cell, of `zoo.cells`, no operator knows: its two halves, `project` and `step`.
    `lowering/steps.py` runs it, in the same way for every target."""

    name: str
    cell: Any
    backwards: bool

    @property
    def state_names(self) -> tuple[str, ...]:
        return tuple(self.cell.state_names)
