"""What the README says is run: its Python, its commands, its tables."""

import re
import subprocess
import sys

import pytest
import typer.main

from zoo import cli
from zoo.benchmarks import readme
from zoo.errors import InvalidInput

TEXT = readme.README.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"\bzoo ([a-z]+) ", "\n".join(re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)))))


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_the_python_of_the_readme_runs(code, tmp_path):
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_every_command_of_the_readme_exists():
    known = typer.main.get_command(cli.app).commands
    assert COMMANDS
    assert set(COMMANDS) <= set(known)


def test_the_tables_are_those_of_the_cards_and_the_results():
    assert readme.fill(TEXT) == TEXT, "run `make readme`"


def test_a_readme_without_its_markers_is_refused():
    with pytest.raises(InvalidInput) as error:
        readme.fill("nothing here")
    assert str(error.value) == "README.md lacks the markers <!-- latency --> and <!-- /latency -->."


def test_every_make_target_of_the_documents_exists():
    makefile = (readme.README.parent / "Makefile").read_text("utf-8")
    texts = TEXT + (readme.README.parent / "CONTRIBUTING.md").read_text("utf-8")
    for target in set(re.findall(r"`make ((?:[a-z-]+ ?)+)`", texts)):
        for name in target.split():
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
