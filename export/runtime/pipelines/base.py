"""What every pipeline is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from export.runtime.executor import Executor
from zoo.errors import InvalidInput
from zoo.spec import ModelSpec


class Answer(Protocol):
    """A frozen dataclass that says one thing; `cells()` is its row in a table under the pipeline's `COLUMNS`."""

    def cells(self) -> tuple[str, ...]: ...


class Pipeline(ABC):
    """Called with raw input it returns the answers; columns named in `RIGHT` hold numbers."""

    COLUMNS: ClassVar[tuple[str, ...]]
    RIGHT: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        self.spec, self.executor = spec, executor

    @abstractmethod
    def __call__(self, raw: Any) -> Sequence[Any]:
        """The answers to `raw`. Raises InvalidInput for input the model cannot take."""

    def plot(self, raw: Any, answers: Sequence[Any], path: Path) -> None:
        """Draws the answers over the input into a picture file. Raises InvalidInput where there is nothing to draw."""
        raise InvalidInput(
            f"Model {self.spec.name!r} draws no picture: its task is {self.spec.task}. Leave out --plot."
        )
