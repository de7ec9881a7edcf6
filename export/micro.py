"""TensorFlow Lite Micro: whether it runs a TFLite file as LiteRT does, and in how much memory.

Run as `python -m export.micro FOLDER` it reads FOLDER/model.tflite and FOLDER/inputs.npz, one array a subgraph input in
their order, writes FOLDER/outputs.npz and prints the smallest arena in bytes: apart, as what the interpreter cannot do
may end its process.
"""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime.inputs import Arrays

ALIGNMENT = 16
_TIMEOUT_SECONDS = 120


def arena_bytes(path: Path, inputs: Arrays, outputs: Arrays, allowed: float) -> int | None:
    """The smallest arena in which the file makes `outputs` of `inputs`, to a root mean square of `allowed` times their
    largest value; None where it does not, or where tflite-micro is not installed."""
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    from export.tflite_file import positions

    places = positions(path.read_bytes())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(path.read_bytes())
        np.savez(folder / "inputs.npz", *(inputs[name] for name in places[0]))
        command = [sys.executable, "-m", "export.micro", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            return None
        with np.load(folder / "outputs.npz") as made:
            agree = all(_near(made[key], outputs[name], allowed) for key, name in zip(made.files, places[1], strict=True))
    return int(done.stdout) if agree else None
