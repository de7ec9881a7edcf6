"""The one face of every executor: named arrays in, named arrays out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from export.manifest import Manifest
from export.runtime.inputs import Arrays, checked
from zoo.errors import InvalidInput
from zoo.spec import Signature

if TYPE_CHECKING:
    from export.runtime.stream import Stream


class Executor(ABC):
    """`signature` holds names, dtypes and shapes; `metadata` is None for a file this project did not write."""

    signature: Signature
    metadata: Manifest | None = None

    def run(self, inputs: Mapping[str, Any]) -> Arrays:
        """{input name: array} -> {output name: array}. The same call gives the same answer every time.

        Raises InvalidInput for arrays that do not fit `signature`; see `export.runtime.inputs.checked`.
        """
        return self.run_checked(checked(self.signature.inputs, inputs))

    @abstractmethod
    def run_checked(self, arrays: Arrays) -> Arrays:
        """`run` for arrays that are known to fit the signature."""

    def stream(self, batch: int = 1) -> "Stream":
        """A stream over `batch` rows, all states zero. Raises InvalidInput for a file that has no states."""
        from export.runtime.stream import Stream

        return Stream(self, batch)

    def refuse_to_run(self, where: str, error: Exception) -> InvalidInput:
        """What a runtime's own error becomes: its first line, and what was run."""
        return InvalidInput(f"{where} did not run on these inputs: {first_line(error)}")


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
