"""What commands print: on a terminal of any width, into a pipe, and in any encoding."""

import json
import subprocess
import sys

import pytest
from rich.console import Console

import zoo
from zoo.cli import output

COLUMNS = ("name", "task", "score", "size")
ROWS = [("gru.har", "sequence classification", "96.6 %", "154 KiB"), ("lstm.imdb", "sentiment", "90.5 %", "3.4 MiB")]


@pytest.fixture
def printed(monkeypatch, capsys):
    """`printed(width, columns, rows)`: the lines of a table on a terminal of that width; None: no terminal."""

    def lines(width, columns=COLUMNS, rows=ROWS, right=("score", "size")):
        terminal = Console(width=width, force_terminal=width is not None, color_system=None, highlight=False)
        monkeypatch.setattr(output, "console", terminal)
        output.print_table(columns, rows, right=right)
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_table_that_fits_has_a_line_a_row(printed):
    assert printed(80) == [
        "name       task                      score     size",
        "gru.har    sequence classification  96.6 %  154 KiB",
        "lstm.imdb  sentiment                90.5 %  3.4 MiB",
    ]


def test_a_narrow_terminal_wraps_words_at_blanks_and_no_name_or_number(printed):
    assert printed(42) == [
        "name       task             score     size",
        "gru.har    sequence        96.6 %  154 KiB",
        "           classification",
        "lstm.imdb  sentiment       90.5 %  3.4 MiB",
    ]


def test_a_terminal_that_is_too_narrow_even_so_gets_whole_lines(printed):
    assert printed(30) == printed(80)


def test_without_a_terminal_every_row_is_one_line_however_wide(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    word = "x" * 500
    assert printed(None, ("word", "score"), [(word, "99.1 %")], right=("score",))[1] == f"{word}  99.1 %"


def test_facts_without_headings_wrap_beside_their_names(printed):
    assert printed(30, ("", ""), [("limit", "Recordings of other devices.")], right=()) == [
        "limit  Recordings of other",
        "       devices.",
    ]


def test_what_standard_output_cannot_encode_is_replaced_and_json_escapes_it():
    run = "import sys; sys.argv = ['zoo', *sys.argv[1:]]; from zoo import cli; cli.main()"
    table, found = (
        subprocess.run(
            [sys.executable, "-c", run, *words], env={"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True
        )
        for words in (["list", "gru.fsdd"], ["show", "gru.etth1_96", "--json"])
    )
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.split() == (
        "name task data score published parameters size gru.fsdd sound classification fsdd 98.7 % ? 106,402 869 KiB"
    ).split()  # fmt: skip
    assert json.loads(found.stdout)["signature"]["inputs"][0]["unit"].endswith("°C)")
    assert zoo.describe("gru.etth1_96").signature.inputs[0].unit.endswith("°C)")


@pytest.mark.parametrize(
    ("command", "option"),
    [(["predict", "gru.har", "x.npy"], "--plot"), (["translate", "gru_attention.multi30k_en_de", "Hi."], "--show")],
)
def test_a_picture_needs_a_folder_that_is_there(zoo_command, command, option):
    answer = zoo_command(*command, option, "/nowhere/a.png")
    assert (answer.code, answer.err) == (2, f"zoo: {option}: there is no folder '/nowhere'.\n")
    answer = zoo_command(*command, option, "a.xyz")
    assert (answer.code, answer.err) == (2, f"zoo: {option} 'a.xyz' must end in .png, .svg or .pdf.\n")
