"""The states of a streaming model: found by one trace, handed out and collected by the later ones."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from export.lowering.locality import is_timed, placeholders
from zoo.spec import Signature, StateSpec, TensorSpec

_AXES = {2: ("batch", "feature"), 3: ("batch", "step", "feature")}
Shapes = dict[str, tuple[int, ...]]


class Ledger:
    """The states of one model in the order in which its layers ask for them, and the facts the first trace found out.

    `streamed` names the placeholders of that trace that move with time. While the ledger is `resting`, layers run on
    what is no stream: the steps inside `TimeDistributed`. One trace at a time.
    """

    def __init__(self, signature: Signature, chunk: int | None) -> None:
        self.chunk = chunk
        self.batch = signature.inputs[0].shape[0]
        self.states: list[StateSpec] = []
        self.discovering, self.rests = True, False
        self.streamed: set[str] = set()
        self._phases: set[str] = set()
        self._names = {*signature.input_names, *signature.output_names}
        self._facts: list[bool] = []
        self._next_fact = self._next_state = 0
        self._given: Sequence[tf.Tensor] = ()
        self._new: dict[int, tf.Tensor] = {}

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(s.input, s.dtype, s.shape, _axes(len(s.shape))) for s in self.states)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(s.output, s.dtype, s.shape, _axes(len(s.shape))) for s in self.states)

    def moves(self, x: Any) -> bool:
        """Whether a layer is called on a stream of steps."""
        return not self.rests and self._fact(lambda: is_timed(x))

    def may_be_empty(self, x: tf.Tensor) -> bool:
        """Whether strides before a layer leave chunks without a step for it."""
        return self._fact(lambda: bool(placeholders(x) & self._phases))

    def read(self, layer: Any, shapes: Shapes, dtype: str = "float32") -> tuple[int, list[tf.Tensor]]:
        """The states of one call of `layer`, {suffix: shape without batch}, and where to `write` the new ones."""
        place = self._next_state
        self._next_state += len(shapes)
        if self.discovering:
            return place, [self._enter(layer, suffix, (self.batch, *shape), dtype) for suffix, shape in shapes.items()]
        return place, list(self._given[place : self._next_state])

    def write(self, place: int, new: Sequence[tf.Tensor]) -> None:
        self._new.update(enumerate(new, place))

    def placeholder(self, dtype: str, shape: Sequence[int | None]) -> tf.Tensor:
        """An argument of the first trace that moves with time."""
        tensor = tf.compat.v1.placeholder(dtype, shape)
        self.streamed.add(tensor.op.name)
        return tensor

    @contextlib.contextmanager
    def resting(self) -> Iterator[bool]:
        """Gives whether it was not resting before."""
        before, self.rests = self.rests, True
        try:
            yield not before
        finally:
            self.rests = before

    @contextlib.contextmanager
    def replayed(self, given: Sequence[tf.Tensor]) -> Iterator[list[tf.Tensor]]:
        """A later trace with the states `given`; the list holds the new ones when it is over."""
        self._given, self._new = given, {}
        self._next_fact = self._next_state = 0
        new: list[tf.Tensor] = []
        yield new
        new += [self._new[index] for index in range(len(self.states))]

    def _enter(self, layer: Any, suffix: str, shape: tuple[int | None, ...], dtype: str) -> tf.Tensor:
        name = self._free(f"{layer.name}_{suffix}")
        self.states.append(StateSpec(layer.name, name, f"{name}_out", dtype, shape))
        tensor = self.placeholder(dtype, shape)
        if suffix == "phase":
            self._phases.add(tensor.op.name)
        return tensor

    def _fact(self, find: Callable[[], bool]) -> bool:
        if self.discovering:
            self._facts.append(find())
        self._next_fact += 1
        return self._facts[self._next_fact - 1]

    def _free(self, name: str) -> str:
        tried = (name, *(f"{name}_{n}" for n in range(1, len(self._names) + 2)))
        free = next(free for free in tried if not {free, f"{free}_out"} & self._names)
        self._names |= {free, f"{free}_out"}
        return free


def _axes(rank: int) -> tuple[str, ...]:
    return _AXES.get(rank) or ("batch", *(f"axis{axis}" for axis in range(1, rank)))
