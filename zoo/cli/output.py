"""How commands print: a table for people, JSON for machines."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zoo.errors import InvalidInput
from zoo.features.text import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
console = Console(highlight=False)
progress_console = Console(stderr=True, highlight=False)
LONGEST_WORD = 20  # what is longer is folded where a column wraps
_GAP = 2  # blanks between columns


def print_json(value: Any) -> None:
    """Letters as they are, or as \\u escapes where standard output cannot hold them all; null for NaN and infinity."""
    print(json.dumps(_finite(value), indent=1, ensure_ascii="utf" not in (sys.stdout.encoding or "").lower()))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Columns named in `right` are aligned to the right; they and the first stay whole, the others wrap at blanks.

    Without a terminal, and on one too narrow for that, the table is as wide as it is: nothing is ever cut.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    least = full = -_GAP
    for index, column in enumerate(columns):
        texts = [column, *(row[index] for row in cells)]
        words = [word for text in texts for word in text.split() if len(word) <= LONGEST_WORD]
        whole = index == 0 or column in right
        width = max(map(cell_len, texts if whole else words), default=1)
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=whole, min_width=width)
        least += width + _GAP
        full += max(map(cell_len, texts)) + _GAP
    for row in cells:
        table.add_row(*map(Text, row))
    fits = console.is_terminal and least <= console.width
    for pieces in console.render_lines(table, console.options.update_width(console.width if fits else full), pad=False):
        line = Text.assemble(*((piece.text, piece.style or "") for piece in pieces))
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_lines(rows: Sequence[Sequence[str]]) -> None:
    """Columns without headings, as wide as they need: paths stay whole, to be copied."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(line.rstrip(), soft_wrap=True, markup=False)


def require_picture(option: str, path: Path | None) -> None:
    """Raises InvalidInput for a picture that could not be written, before anything is computed for it."""
    if path is not None and path.suffix not in (".png", ".svg", ".pdf"):
        raise InvalidInput(f"{option} {str(path)!r} must end in .png, .svg or .pdf.")
    if path is not None and not path.absolute().parent.is_dir():
        raise InvalidInput(f"{option}: there is no folder {str(path.parent)!r}.")


def size(count: int) -> str:
    """
    >>> size(900), size(80_500), size(3_000_000)
    ('900 B', '79 KiB', '2.9 MiB')
    """
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.0f} KiB" if count < 1024**2 else f"{count / 1024**2:.1f} MiB"
