"""Recordings out of archives: what is verified is the recordings, since hosts pack the same files anew."""

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.base import RemoteFile, download, mirrored
from zoo.errors import UntrustedFile
from zoo.features import audio

Files = dict[str, bytes]


def fetch(mirror: tuple[str, str, str], remote: RemoteFile, wanted: Callable[[str], str | None], sha256: str) -> Files:
    """{name: content} of the wanted files of the mirrored archive, or else of the remote one, sorted by name.

    wanted: the name of a path inside an archive, None for one to leave out. sha256: that of the names and contents.
    """
    path = mirrored(*mirror) or download(remote)
    files = dict(sorted(_members(path, wanted).items()))
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in files.items())).hexdigest()
    if digest != sha256:
        raise UntrustedFile(
            f"The {len(files)} recordings in {path} have sha256 {digest}, expected {sha256}: "
            "delete it and fetch it again."
        )
    return files


def _members(path: Path, wanted: Callable[[str], str | None]) -> Files:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(inner) for inner in archive.namelist() if (name := wanted(inner))}
    with tarfile.open(path) as tar:
        found = {}
        for member in tar:
            name = wanted(member.name)
            file = tar.extractfile(member) if name else None
            if name and file:
                found[name] = file.read()
        return found


def waves(files: Mapping[str, bytes], rate: int) -> dict[str, np.ndarray]:
    """{name: samples float32 [S]} of WAV files with one channel at `rate` Hz."""
    found = {}
    for name, content in files.items():
        sound, own = audio.decode(content, name)
        assert own == rate and sound.shape[1] == 1
        found[name] = sound[:, 0]
    return found


def padded(items: Sequence[np.ndarray], length: int | None = None) -> np.ndarray:
    """The waves [S] as one array [N, length or that of the longest, 1], zeros behind them.

    >>> padded([np.ones(2), np.ones(3)])[..., 0].tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    batch = np.zeros((len(items), length or max(map(len, items)), 1), "float32")
    for row, item in zip(batch, items, strict=True):
        row[: len(item), 0] = item[: len(row)]
    return batch


def lengths(x: np.ndarray) -> np.ndarray:
    """How many samples of each row of x [N, S, 1] come before its zeros [N].

    >>> lengths(padded([np.ones(2), np.ones(3)])).tolist()
    [2, 3]
    """
    heard = x[..., 0] != 0
    return np.where(heard.any(1), x.shape[1] - heard[:, ::-1].argmax(1), 0)
