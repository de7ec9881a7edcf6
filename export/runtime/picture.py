"""Pictures of answers: drawn with matplotlib where it is installed, straight into a file."""

from pathlib import Path
from typing import Any

from zoo.errors import InvalidInput, MissingDependency


def axes(rows: int, height: float = 1.9, **options: Any) -> tuple[Any, Any]:
    """A figure with `rows` axes below each other, as an array. Raises MissingDependency without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("Pictures need matplotlib: pip install 'recurrent-zoo[plot]'.") from error
    figure = Figure(figsize=(9, 0.8 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, 1, squeeze=False, **options)[:, 0]


def label_rows(axis: Any, dated: bool) -> None:
    """Labels the rows of a table along the axis: by their dates, as few as fit, or by their numbers."""
    axis.set_xlabel("date" if dated else "row of the table")
    if dated:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=7)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def save(figure: Any, path: Path) -> None:
    """Raises InvalidInput for a kind of file that matplotlib does not write, or a folder that is not there."""
    try:
        figure.savefig(path, dpi=120)
    except (ValueError, OSError) as error:
        raise InvalidInput(
            f"Cannot draw into {path} ({error}). Give a path that ends in .png, .svg or .pdf."
        ) from error
