"""The command line: `zoo list|show|predict|eval|train|export|check|bench|publish`.

Exit codes: 0 done, 1 a check failed, 2 wrong usage. `--json` prints the same facts for machines.
"""

import sys

import typer

from zoo.cli import bench, evaluating, exporting, listing, predicting, publishing, quiet, training
from zoo.errors import ZooError

app = typer.Typer(
    help="Recurrent models that really deploy: load by name, train, export, check, benchmark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
NEED_KERAS = ("train", "export", "check", "bench", "publish")


@app.callback()
def before_every_command(context: typer.Context) -> None:
    if context.invoked_subcommand in NEED_KERAS:
        quiet.import_tensorflow()


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
