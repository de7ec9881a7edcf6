"""Streaming: the states of a recurrent model in the hands of the caller, as NumPy arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.runtime.executor import Executor
from export.runtime.inputs import Arrays, checked
from zoo.errors import InvalidInput
from zoo.spec import StateSpec


class Stream:
    """One stream of `batch` rows. Any number of streams share an executor and never meet.

    `push` takes the next chunk of every row and returns what the model says about it; the states move on only when the
    model has run. Axes: states and inputs have the batch first.
    Raises InvalidInput for an executor without states, or a batch below 1.
    """

    def __init__(self, executor: Executor, batch: int = 1) -> None:
        signature = executor.signature
        if not signature.states:
            name = executor.metadata.name if executor.metadata else "This model"
            raise InvalidInput(
                f"{name} has no states to stream with. Export it with streaming=True, then load that file."
            )
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise InvalidInput(f"A stream needs a batch of at least 1, not {batch!r}.")
        states = {state.input: state for state in signature.states}
        self.executor, self.batch = executor, batch
        self._inputs = tuple(spec for spec in signature.inputs if spec.name not in states)
        returned = {state.output for state in signature.states}
        self._outputs = tuple(name for name in signature.output_names if name not in returned)
        self._states: Arrays = {}
        self.reset()

    def push(self, inputs: Any) -> Any:
        """The outputs for the next chunk [batch, steps, …].

        A dict of arrays gives a dict of arrays. A single array is enough for a model with one input, and gives a
        single array where the model has one output.
        """
        arrays = checked(self._inputs, self._named(inputs))
        self._check_batch(arrays)
        results = self.executor.run_checked(arrays | self._states)
        self._states = {state.input: results[state.output] for state in self._specs}
        if isinstance(inputs, Mapping) or len(self._outputs) > 1:
            return {name: results[name] for name in self._outputs}
        return results[self._outputs[0]]

    def reset(self) -> None:
        """Back to the start: all states zero."""
        self._states = {state.input: np.zeros(_shape(state, self.batch), state.dtype) for state in self._specs}

    @property
    def chunk(self) -> int | None:
        """The steps of every push, where the file fixes them; None where they are free."""
        return next((spec.shape[1] for spec in self._inputs if "time" in spec.axes[1:2]), None)

    @property
    def state(self) -> Arrays:
        """A snapshot: {state input name: array [batch, …]}. Assign one to go back to it."""
        return {name: array.copy() for name, array in self._states.items()}

    @state.setter
    def state(self, snapshot: Mapping[str, Any]) -> None:
        missing = [state.input for state in self._specs if state.input not in snapshot]
        if missing or len(snapshot) != len(self._specs):
            raise InvalidInput(
                f"A snapshot of this stream holds {', '.join(map(repr, self._states))}; "
                f"this one holds {', '.join(map(repr, snapshot)) or 'nothing'}."
            )
        states = {state.input: np.array(snapshot[state.input], state.dtype) for state in self._specs}
        for state in self._specs:
            if states[state.input].shape != _shape(state, self.batch):
                raise InvalidInput(
                    f"State {state.input!r} has shape {list(states[state.input].shape)} in the snapshot; "
                    f"this stream needs {list(_shape(state, self.batch))}."
                )
            _require_one_phase(state, states[state.input])
        self._states = states

    @classmethod
    def stack(cls, streams: Sequence["Stream"]) -> "Stream":
        """One stream whose rows are the rows of all `streams`, in order; these stay as they are."""
        if not streams or any(stream.executor is not streams[0].executor for stream in streams):
            raise InvalidInput("Only streams of one executor stack; open them all from the same loaded model.")
        stacked = cls(streams[0].executor, sum(stream.batch for stream in streams))
        parts = [stream.state for stream in streams]
        stacked.state = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return stacked

    def unstack(self) -> list["Stream"]:
        """One stream of batch 1 for every row; this one stays as it is."""
        rows = [Stream(self.executor) for _ in range(self.batch)]
        for index, row in enumerate(rows):
            row.state = {name: array[index : index + 1] for name, array in self._states.items()}
        return rows

    @property
    def _specs(self) -> tuple[StateSpec, ...]:
        return self.executor.signature.states

    def _named(self, inputs: Any) -> Mapping[str, Any]:
        if isinstance(inputs, Mapping):
            return inputs
        if len(self._inputs) != 1:
            names = ", ".join(repr(spec.name) for spec in self._inputs)
            raise InvalidInput(f"This model has {len(self._inputs)} inputs; push a dict with {names}.")
        return {self._inputs[0].name: inputs}

    def _check_batch(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            if len(array) != self.batch:
                raise InvalidInput(
                    f"Input {name!r} has batch {len(array)}, but this stream has batch {self.batch}. "
                    f"Open one with stream(batch={len(array)})."
                )


def _require_one_phase(state: StateSpec, value: np.ndarray) -> None:
    """A strided layer counts the steps to its next window, once for all rows of a batch."""
    if state.dtype == "int32" and state.input.startswith(f"{state.layer}_phase") and len(np.unique(value)) > 1:
        raise InvalidInput(
            f"Rows of a stream must stand at the same place between two windows of layer {state.layer!r}; here "
            f"{state.input!r} is {', '.join(map(str, value.ravel().tolist()))}. Stack streams whose numbers of pushed "
            "steps differ by whole strides only."
        )


def _shape(state: StateSpec, batch: int) -> tuple[int, ...]:
    return tuple(batch if size is None else size for size in state.shape)
