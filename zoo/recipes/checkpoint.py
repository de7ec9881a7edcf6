"""Checkpoints that survive a kill at any moment: written beside, then moved into place in one rename."""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InvalidInput, UntrustedFile


@dataclass
class Progress:
    """Where a run is: `epoch` epochs done; `history` holds one dict of numbers an epoch; `best` is the index of the
    epoch that is kept; `identity` tells runs of other recipes, seeds and lengths apart."""

    identity: dict[str, Any]
    epoch: int = 0
    best: int = -1
    history: list[dict[str, float]] = field(default_factory=list)


def save(path: Path, progress: Progress, groups: Mapping[str, Sequence[np.ndarray]]) -> None:
    """The named groups of arrays and the progress, in one file without pickles."""
    arrays = {f"{group}/{index:05d}": array for group, items in groups.items() for index, array in enumerate(items)}
    beside = path.with_suffix(".partial")
    arrays["progress"] = np.frombuffer(json.dumps(asdict(progress)).encode(), "uint8")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the names of arrays are never `allow_pickle`
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def require_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str) -> None:
    """Raises InvalidInput with every setting by which the run at `path` is another than the one that is wanted."""
    there, here = (_flat(identity) for identity in (found, wanted))
    differing = [
        f"{name} is {there.get(name)!r} there and {here.get(name)!r} here"
        for name in {**here, **there}
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise InvalidInput(f"{path} is another run: {'; '.join(differing)}. {remedy}")


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in identity.items() if name != "config"}
    return plain | {f"config.{name}": value for name, value in identity.get("config", {}).items()}


def restore(path: Path) -> tuple[Progress, dict[str, list[np.ndarray]]]:
    """The inverse of `save`. Raises UntrustedFile for a file that is truncated or not a checkpoint."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            progress = Progress(**json.loads(file["progress"].tobytes()))
            groups: dict[str, list[np.ndarray]] = {}
            for key in sorted(name for name in file.files if name != "progress"):
                groups.setdefault(key.partition("/")[0], []).append(file[key])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UntrustedFile(f"{path} is not a readable checkpoint ({error}). Delete it and train again.") from error
    return progress, groups
