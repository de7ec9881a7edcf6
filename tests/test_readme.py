"""What the README says is run: its Python, its commands, its tables."""

import re
import subprocess
import sys

import pytest
import typer.main

from zoo import cli
from zoo.benchmarks import readme, results
from zoo.errors import InvalidInput

TEXT = readme.README.read_text("utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
BLOCKS = [text for language, text in FENCED if language == "python"]
COMMANDS = sorted({name for language, text in FENCED if not language for name in re.findall(r"\bzoo ([a-z]+) ", text)})


def test_the_python_of_the_readme_runs(tmp_path):
    """Each block by itself, in one process: most of its time is the import of TensorFlow."""
    code = f"for block in {BLOCKS!r}:\n    exec(compile(block, block, 'exec'), {{}})"
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert len(BLOCKS) >= 3 and answer.returncode == 0, answer.stderr


def test_every_command_of_the_readme_exists():
    known = typer.main.get_command(cli.app).commands
    assert len(COMMANDS) >= 8
    assert set(COMMANDS) <= set(known)


def test_the_tables_are_those_of_the_cards_and_the_results():
    assert readme.fill(TEXT) == TEXT, "run `make readme`"


def test_two_tables_give_a_model_the_same_mean_and_spread():
    def spread(table, name):
        return re.search(rf"`{re.escape(name)}` .*?(\d+\.\d ± \d+\.\d)", table)[1]

    tables = readme.models(), readme.comparison()
    for name in [row["model"] for row in results.read("comparison") if row["seeds"] != "1"]:
        assert len({spread(table, name) for table in tables}) == 1, name


def test_an_empty_table_is_filled_and_a_full_one_replaced(monkeypatch):
    monkeypatch.setattr(readme, "TABLES", {"models": lambda: "| new |"})
    expected = "a\n<!-- models -->\n| new |\n<!-- /models -->\nb"
    assert readme.fill("a\n<!-- models -->\n<!-- /models -->\nb") == expected
    assert readme.fill("a\n<!-- models -->\n| old |\n| old |\n<!-- /models -->\nb") == expected


def test_a_readme_without_its_markers_is_refused():
    with pytest.raises(InvalidInput) as error:
        readme.fill("nothing here")
    assert str(error.value) == "README.md lacks the markers <!-- demo --> and <!-- /demo -->."


def test_every_make_target_of_the_documents_exists():
    makefile = (readme.README.parent / "Makefile").read_text("utf-8")
    texts = TEXT + (readme.README.parent / "CONTRIBUTING.md").read_text("utf-8")
    for target in set(re.findall(r"`make ((?:[a-z-]+ ?)+)`", texts)):
        for name in target.split():
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
