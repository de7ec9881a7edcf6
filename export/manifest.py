"""The record that travels with an exported file: what it is, how it was checked, which bytes it has.

One `Manifest` describes one artifact. It is embedded in the ONNX and TFLite file under the key `recurrent_zoo`, lies
as `assets.extra/recurrent_zoo.json` in a SavedModel, and with its siblings in the folder's `manifest.json` (`Bundle`).
Inside a file it cannot hold that file's own hash: `files`, `operators` and `notes` are filled in `manifest.json` only.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from zoo.errors import InvalidInput, UntrustedFile
from zoo.spec import ModelSpec, Signature, from_json, to_json

KEY = "recurrent_zoo"
OPERATORS_KEY = f"{KEY}.operators"  # of ONNX files: recurrent operators and those of `RANGED`, with commas between them
RANGED = "DynamicQuantize"  # how the names of operators begin that measure the range of all rows together
FILE, CARD = "manifest.json", "card.json"
SAVED_MODEL_FILE = f"assets.extra/{KEY}.json"
_RESERVE = 64  # spaces after the embedded text, for the parity that is measured after the file was written


@dataclass(frozen=True)
class Parity:
    """The largest difference from Keras the check saw, of quantised files the largest root mean square of those of an
    output, and what it would have let pass; see `export.check`."""

    max_abs_diff: float
    allowed: float


@dataclass(frozen=True)
class Spread:
    """What the calibration data held in each feature of one input."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """`files` maps each file of the artifact, relative to `manifest.json`, to its sha256; `calibrated` tells what a
    full-integer file was calibrated with.

    `parity` is None where the export ran with `check=False`. `sample_rate` is in Hz, `version` is the zoo model's.
    """

    name: str
    format: str
    signature: Signature
    version: int = 1
    labels: tuple[str, ...] = ()
    preprocessing: str = ""
    sample_rate: float | None = None
    quantize: str | None = None
    streaming: bool = False
    parity: Parity | None = None
    versions: dict[str, str] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    calibrated: dict[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """The content of `manifest.json`: every artifact of one export."""

    name: str
    artifacts: tuple[Manifest, ...]

    @property
    def files(self) -> dict[str, str]:
        return {name: digest for artifact in self.artifacts for name, digest in artifact.files.items()}


def embedded(manifest: Manifest) -> str:
    """The JSON text to embed: compact, with room so that `embed_parity` can complete it in place."""
    return json.dumps(dataclasses.asdict(manifest), ensure_ascii=False, separators=(",", ":")) + " " * _RESERVE


def embed_parity(path: Path, manifest: Manifest, parity: Parity) -> None:
    """Completes the copy of `manifest` inside the artifact at `path` by `parity`; no other byte of it changes."""
    path = path / SAVED_MODEL_FILE if path.is_dir() else path
    old = embedded(manifest).encode()
    new = embedded(dataclasses.replace(manifest, parity=parity)).rstrip().encode()
    content = path.read_bytes()
    if content.count(old) != 1 or len(new) > len(old):
        raise AssertionError(f"{path.name} holds {content.count(old)} copies of its manifest, not one.")
    path.write_bytes(content.replace(old, new.ljust(len(old))))


def parse(text: str, where: str) -> Manifest:
    """Raises UntrustedFile where the text is not a manifest of this or an older version."""
    try:
        return from_json(Manifest, text)
    except InvalidInput as error:
        raise UntrustedFile(f"{where} holds metadata under {KEY!r} that does not parse: {error}") from error


def from_onnx(custom_metadata: Mapping[str, str], where: str) -> Manifest | None:
    """From the `custom_metadata_map` of an ONNX Runtime session; None for a file this project did not write."""
    return parse(custom_metadata[KEY], where) if KEY in custom_metadata else None


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(path: Path) -> dict[str, str]:
    """Relative POSIX path -> sha256 of a file, or of every file below a folder; the key of a lone file is its name."""
    if path.is_file():
        return {path.name: sha256(path)}
    files = sorted(item for item in path.rglob("*") if item.is_file())
    return {f"{path.name}/{item.relative_to(path).as_posix()}": sha256(item) for item in files}


def combined(files: Mapping[str, str]) -> str:
    """The sha256 of a lone file; of several, the sha256 of their sorted `sha256  name` lines."""
    if len(files) == 1:
        return next(iter(files.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def write(folder: Path, bundle: Bundle) -> Path:
    """Writes `manifest.json` in one rename."""
    target, staged = folder / FILE, folder / f".{FILE}.{os.getpid()}"
    try:
        staged.write_text(to_json(bundle), encoding="utf-8")
        os.replace(staged, target)
    finally:
        staged.unlink(missing_ok=True)
    return target


def read(folder: Path) -> Bundle:
    """Raises UntrustedFile where `manifest.json` does not parse."""
    path = folder / FILE
    try:
        return from_json(Bundle, path.read_text(encoding="utf-8"))
    except (InvalidInput, UnicodeDecodeError) as error:
        raise UntrustedFile(f"{path} is not a manifest: {error} Export the model again.") from error


def recorded(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of what the manifest or the card in a folder lists; nothing where it holds neither.

    Raises UntrustedFile where it is damaged. A file of that name from another program is none.
    """
    path, card = folder / FILE, folder / CARD
    if path.is_file():
        return read(folder).files if _may_be_ours(path, "artifacts") else {}
    if not card.is_file() or not _may_be_ours(card, "multiply_adds_per_step"):
        return {}
    try:
        return from_json(ModelSpec, card.read_text("utf-8")).files
    except (InvalidInput, UnicodeDecodeError) as error:
        raise UntrustedFile(f"{card} is not a card: {error} Fetch it again.") from error


def _may_be_ours(path: Path, field: str) -> bool:
    """Whether it has this field, or is too damaged to tell."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return True
    return isinstance(found, dict) and field in found


def verify_beside(path: Path) -> None:
    """Holds a file, or a SavedModel, against what `recorded` says of it. Raises UntrustedFile."""
    names = (path.name, f"{path.name}/")
    found = recorded(path.parent).items()
    verify(path.parent, {name: digest for name, digest in found if name == names[0] or name.startswith(names[1])})


def verify(folder: Path, files: Mapping[str, str]) -> None:
    """Raises UntrustedFile for the first of `files` (relative path -> sha256) that is missing, altered or outside."""
    for name, digest in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UntrustedFile(f"The manifest of {folder} names {name!r}, which lies outside that folder.")
        if not (folder / path).is_file():
            raise UntrustedFile(f"{folder / path} is missing, though the manifest lists it. Fetch or export it again.")
        seen = sha256(folder / path)
        if seen != digest:
            raise UntrustedFile(
                f"{folder / path} has sha256 {seen[:12]}…, but {digest[:12]}… was recorded for it: "
                "it was changed or cut short. Fetch or export it again."
            )
