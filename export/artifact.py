"""What an export hands back: `Written` by a converter, `Artifact` by the engine that has checked and moved the file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Written:
    """What one converter wrote: how often each operator occurs, and what the user should know about the file."""

    operators: dict[str, int]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Artifact:
    """One exported file (or folder, for a SavedModel) and the evidence that it is right.

    `max_abs_diff` is the largest difference from Keras the check saw, of quantised files the largest root mean square
    of those of an output, and `allowed` what it would have let pass; both are None where nothing was run
    (`check=False`). `ok` says whether the check ran and passed. `arena_bytes` is the
    memory TensorFlow Lite Micro needs, where the file runs there.
    """

    path: Path
    format: str
    bytes: int
    operators: dict[str, int]
    max_abs_diff: float | None
    allowed: float | None
    ok: bool
    notes: tuple[str, ...]
    sha256: str
    arena_bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The artifact as plain JSON values, in the order of its fields.

        >>> artifact = Artifact(Path("m.onnx"), "onnx", 9, {"GRU": 1}, 1e-7, 1e-4, True, (), "ab")
        >>> artifact.as_json()["path"], artifact.as_json()["operators"]
        ('m.onnx', {'GRU': 1})
        """
        return {**vars(self), "path": str(self.path), "notes": list(self.notes)}
