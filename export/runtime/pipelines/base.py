"""What every pipeline is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.text import Text

from export.runtime.executor import Executor
from zoo.errors import InvalidInput
from zoo.features.text import printable
from zoo.spec import ModelSpec


class Answer(Protocol):
    """A frozen dataclass that says one thing; `cells()` is its row in a table under the pipeline's `COLUMNS`."""

    def cells(self) -> tuple[str, ...]: ...


class Pipeline(ABC):
    """Called with raw input it returns the answers; columns named in `RIGHT` hold numbers.

    It is made of a card and an executor for each of `PARTS`: see `export.backends.open_model`.
    """

    COLUMNS: tuple[str, ...]
    TEXT = False  # whether raw input is text
    RIGHT: tuple[str, ...] = ()
    PARTS: tuple[str, ...] = ("model",)

    def __init__(self, spec: ModelSpec, executor: Executor) -> None:
        self.spec, self.executor = spec, executor

    @abstractmethod
    def __call__(self, raw: Any) -> Sequence[Any]:
        """The answers to `raw`. Raises InvalidInput for input the model cannot take."""

    def heading(self, raw: Any, answers: Sequence[Any]) -> Text:
        """What a terminal shows above the answers: the input."""
        return Text(printable(str(raw)), "bold")

    def plot(self, raw: Any, answers: Sequence[Any], path: Path) -> None:
        """Draws the answers over the input into a picture file. Raises InvalidInput where there is nothing to draw."""
        raise InvalidInput(
            f"Model {self.spec.name!r} draws no picture: its task is {self.spec.task}. Leave out --plot."
        )

    def at(self, row: int) -> "Pipeline":
        """The same pipeline, its answers as of that row of the input. Raises InvalidInput where that means nothing."""
        raise InvalidInput(
            f"Model {self.spec.name!r} answers for the whole input: its task is {self.spec.task}. Leave out --at."
        )
