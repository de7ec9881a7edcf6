"""The command line: `zoo list|show|predict|eval|train|export|check|bench|publish`.

Exit codes: 0 done, 1 a check failed, 2 wrong usage. `--json` prints the same facts for machines.
"""

import os
import sys

import typer

from zoo.cli import bench, evaluating, exporting, listing, predicting, publishing, training
from zoo.errors import ZooError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

app = typer.Typer(
    help="Recurrent models that really deploy: load by name, train, export, check, benchmark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("list")(listing.list_models)
app.command("show")(listing.show)
app.command("predict")(predicting.predict)
app.command("eval")(evaluating.evaluate)
app.command("train")(training.train)
app.command("export")(exporting.export)
app.command("check")(exporting.check)
app.command("bench")(bench.bench)
app.command("publish", hidden=True)(publishing.publish)


def main() -> None:
    """The console script: an expected error is one line, never a traceback."""
    try:
        app()
    except ZooError as error:
        print(f"zoo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
