"""The command line: `zoo list|show|predict|eval|listen|generate|translate|train|tune|inspect|export|check|bench` and,
for maintainers, `publish`.

Exit codes: 0 done, 1 a check failed, 2 wrong usage. `--json` prints the same facts for machines.
"""

import io
import sys
from typing import Any, NoReturn

import typer

from zoo.cli import (
    bench,
    evaluating,
    exporting,
    inspecting,
    listening,
    listing,
    predicting,
    publishing,
    training,
    tuning,
    writing,
)
from zoo.errors import ZooError

app = typer.Typer(
    help="Recurrent models that really deploy: load by name, train, export, check, benchmark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
UsageError: Any = typer.BadParameter.__base__  # of click, or of the copy of it that newer versions of typer hold

app.command("list")(listing.list_models)
app.command("show")(listing.show)
app.command("predict")(predicting.predict)
app.command("eval")(evaluating.evaluate)
app.command("train")(training.train)
app.command("tune")(tuning.tune)
app.command("inspect")(inspecting.inspect)
app.command("export")(exporting.export)
app.command("check")(exporting.check)
app.command("listen")(listening.listen)
app.command("generate")(writing.generate)
app.command("translate")(writing.translate)
app.command("bench")(bench.bench)
app.command("publish", hidden=True)(publishing.publish)


def main() -> None:
    """The console script: an expected error is one line, never a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook puts something else in its place
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.exit(app(prog_name="zoo", standalone_mode=False))
    except ZooError as error:
        _fail(str(error), error.exit_code)
    except UsageError as error:
        text = error.format_message()  # empty where typer has shown the help instead
        _fail(text and f"{text.rstrip('.')}. Try `{error.ctx.command_path} --help`.", 2)
    except OSError as error:  # a full disk, a folder that vanished
        _fail(f"{error}.", 1)


def _fail(text: str, code: int) -> NoReturn:
    if text:
        print(f"zoo: {text}", file=sys.stderr)
    sys.exit(code)
