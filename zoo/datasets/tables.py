"""Tables as text: mirrored gzipped under `$ZOO_DATA`, else from their public address, verified row by row."""

import csv
import gzip
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.base import RemoteFile, download, mirrored
from zoo.errors import UntrustedFile


@dataclass(frozen=True)
class Table:
    """`mirror` is folder, file and sha256 under `$ZOO_DATA`; `member` the file's name if `url` is a zip archive.

    `sha256` is that of the rows, "\\n" between them: sources end their lines in different ways, and pack them anew.
    """

    mirror: tuple[str, str, str]
    url: str
    sha256: str
    member: str | None = None


def read(table: Table) -> list[list[str]]:
    """Every row as its cells, the header first. Raises UntrustedFile if they are not the rows of `table`."""
    path = mirrored(*table.mirror)
    source = path or download(RemoteFile(table.url, None))
    lines = _text(source, None if path else table.member).splitlines()
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    if digest != table.sha256:
        raise UntrustedFile(f"{source} holds rows with sha256 {digest}, expected {table.sha256}: fetch it again.")
    return list(csv.reader(io.StringIO("\n".join(lines))))


def _text(path: Path, member: str | None) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    if member is None:
        return path.read_text("utf-8")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member).decode()
    except (zipfile.BadZipFile, KeyError) as error:
        raise UntrustedFile(f"{path} is not the archive that holds {member!r} ({error}): fetch it again.") from error
