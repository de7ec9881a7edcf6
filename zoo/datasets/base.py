"""What a data set is, and how its files come here: mirrored by `$ZOO_DATA`, else downloaded once and verified."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import DataMissing, UntrustedFile
from zoo.spec import DatasetRef

Arrays = Any  # an array, or a mapping of names to arrays where a model has several inputs or outputs


@dataclass(frozen=True)
class Split:
    """Examples x [N, …] with targets y [N, …]; `groups` [N] says who an example comes from, where that matters.

    A model of several inputs takes a mapping of their names as x. `texts` [N] says what is wanted as people write it,
    where answers are compared as texts.
    """

    x: Arrays
    y: np.ndarray
    groups: np.ndarray | None = None
    texts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: np.ndarray | slice) -> "Split":
        """The examples at `indices`, in that order; of a slice, or where a boolean array is True."""
        x = {name: array[indices] for name, array in self.x.items()} if isinstance(self.x, Mapping) else self.x[indices]
        groups, texts = (None if array is None else array[indices] for array in (self.groups, self.texts))
        return Split(x, self.y[indices], groups, texts)


@dataclass(frozen=True)
class Splits:
    """The fixed parts: fit on `train`, choose on `validation`, read `test` once."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class Dataset:
    """A named set with fixed splits; `labels` name the classes of a classification task, in order; `tokenizer` made the
    tokens of a text (a `tokenizers.Tokenizer`, learned from training splits alone: its own, and of another set where a
    model starts from that one's); `further` holds more test splits by name."""

    ref: DatasetRef
    labels: tuple[str, ...]
    load: Callable[[], Splits]
    tokenizer: Callable[[], Any] | None = None
    further: Mapping[str, Callable[[], Split]] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteFile:
    """One file at its public address. Without `sha256` it is packed anew from time to time: its reader verifies what
    it holds."""

    url: str
    sha256: str | None


def mirrored(folder: str, file: str, sha256: str) -> Path | None:
    """The file under `$ZOO_DATA`, verified; None where that variable is not set."""
    root = os.environ.get("ZOO_DATA")
    if not root:
        return None
    path = Path(root) / folder / file
    if not path.is_file():
        raise DataMissing(f"$ZOO_DATA is {root!r}, but {path} does not exist. Complete the mirror, or unset ZOO_DATA.")
    verify(path, sha256)
    return path


def download(file: RemoteFile) -> Path:
    """The file in the cache, fetched once. Raises DataMissing when the network has no answer."""
    import pooch

    name = file.url.rsplit("/", 1)[-1]
    try:
        known = file.sha256 and f"sha256:{file.sha256}"
        found = pooch.retrieve(file.url, known, fname=name, path=pooch.os_cache("recurrent-zoo"))
    except ValueError as error:
        raise UntrustedFile(f"{file.url} is not the file this project was built on: {error}") from error
    except OSError as error:
        raise DataMissing(
            f"Cannot download {file.url} ({_cause(error)}). "
            "Set ZOO_DATA to a folder that mirrors the data sets, or go online."
        ) from error
    return Path(found)


def _cause(error: BaseException) -> str:
    """What went wrong first: the network library wraps it several times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error)


def verify(path: Path, sha256: str) -> None:
    """Raises UntrustedFile with both hashes if the file is another one."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise UntrustedFile(f"{path} has sha256 {digest}, expected {sha256}: delete it and fetch it again.")
