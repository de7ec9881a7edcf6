"""The folder an export works in: gone after success and failure, and after a killed process at the next export."""

import os
import signal
import subprocess
import sys

import pytest

from export.staging import staged
from zoo.errors import InvalidInput

HOLD = """
import pathlib, sys, time
from export.staging import staged
with staged(pathlib.Path(sys.argv[1])) as path:
    path.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".recurrent-zoo-"))


@pytest.fixture
def other_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_what_a_killed_export_left_goes_with_the_next_one(other_process, tmp_path):
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert len(hidden(tmp_path)) == 1
    with staged(tmp_path / "b") as path:
        path.write_text("whole")
        assert len(hidden(tmp_path)) == 1 and path.parent.name in hidden(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["b"]


def test_an_export_that_still_runs_keeps_its_folder(other_process, tmp_path):
    with staged(tmp_path / "b") as path:
        path.write_text("whole")
        assert len(hidden(tmp_path)) == 2
    assert len(hidden(tmp_path)) == 1


def fail_halfway(target):
    with staged(target) as path:
        path.write_text("half")
        raise RuntimeError("stop")


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway(tmp_path / "deep" / "a")
    assert os.listdir(tmp_path) == []


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    other = tmp_path / ".recurrent-zoo-notes"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    with staged(tmp_path / "b") as path:
        path.write_text("whole")
    assert (other / "precious.txt").read_text() == "mine"


def made_meanwhile(target, make):
    with staged(target) as path:
        path.write_text("ours")
        make(target)


def test_what_appeared_at_the_target_meanwhile_is_kept(tmp_path):
    target = tmp_path / "b"
    with pytest.raises(InvalidInput) as error:
        made_meanwhile(target, lambda path: path.write_text("theirs"))
    assert str(error.value) == f"{target} exists already. Remove it, or export to another place."
    assert target.read_text() == "theirs" and hidden(tmp_path) == []
    target.unlink()
    with pytest.raises(InvalidInput) as error:
        made_meanwhile(target, lambda path: path.mkdir())
    assert str(error.value) == f"Cannot write to {target}: Is a directory. Export to another place."
    assert os.listdir(tmp_path) == ["b"]
