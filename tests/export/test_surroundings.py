"""What an export leaves alone around it: standard error, and the code of the folder that it is called in."""

import os
import threading

import numpy as np
import pytest

from export.quiet import quiet
from export.tflite_converter import convert_apart
from zoo.errors import Unsupported


def standard_error():
    return os.fstat(2).st_ino, os.fstat(2).st_dev


def test_threads_that_are_quiet_at_once_leave_standard_error_as_it_was():
    before, silent = standard_error(), []
    entered, left = threading.Event(), threading.Event()

    def other():
        with quiet():
            entered.set()
            left.wait()
            silent.append(standard_error())

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        entered.wait()
    silent.append(standard_error())
    left.set()
    thread.join()
    with open(os.devnull) as nothing:
        found = os.fstat(nothing.fileno())
    assert silent == [(found.st_ino, found.st_dev)] * 2
    assert standard_error() == before


def test_the_converter_runs_no_code_of_the_folder_it_is_called_in(tmp_path, monkeypatch):
    (tmp_path / "export.py").write_text("raise SystemExit('code of the user')")
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "calibration.npz")
    with pytest.raises(Unsupported, match="The TFLite converter refused the model: Expected binary or unicode string"):
        convert_apart(tmp_path, "int8")  # there is no model to convert
