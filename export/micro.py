"""TensorFlow Lite Micro: whether it runs a TFLite file as LiteRT does, and in how much memory.

Run as `python -m export.micro FOLDER` it reads FOLDER/model.tflite and FOLDER/inputs.npz, one array a subgraph input in
their order, writes FOLDER/outputs.npz and prints the smallest arena in bytes: apart, as what the interpreter cannot do
may end its process.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from export.runtime import load
from export.runtime.inputs import Arrays
from export.tflite_file import positions

ALIGNMENT = 16
_LARGEST_ARENA = 2**26
_TIMEOUT_SECONDS = 120


def installed() -> bool:
    return importlib.util.find_spec("tflite_micro") is not None


def arena_bytes(path: Path, inputs: Arrays, allowed: float) -> int | None:
    """The smallest arena in which the file gives for `inputs` what LiteRT gives, to a root mean square of `allowed`
    times its largest value. None where it does not, where a size besides the batch is free, or without tflite-micro."""
    executor = load(path)
    free = [size for spec in executor.signature.inputs for size in spec.shape[1:] if size is None]
    if free or not installed():
        return None
    outputs = executor.run(inputs)
    places = positions(path.read_bytes())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(path.read_bytes())
        np.savez(folder / "inputs.npz", *(inputs[name] for name in places[0]))
        command = [sys.executable, "-P", "-m", "export.micro", str(folder)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            return None
        with np.load(folder / "outputs.npz") as made:
            agree = all(
                _near(made[key], outputs[name], allowed) for key, name in zip(made.files, places[1], strict=True)
            )
    return int(done.stdout) if agree else None


def _near(made: np.ndarray, wanted: np.ndarray, allowed: float) -> bool:
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    return made.shape == wanted.shape and bool(np.sqrt(np.mean(np.square(made - wanted))) <= allowed * scale)


def run(content: bytes, arrays: list[np.ndarray], count: int, arena: int) -> list[np.ndarray]:
    """The first `count` outputs. Ends the process where the arena is too small, or an operator not what it expects."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
    for place, array in enumerate(arrays):
        interpreter.set_input(array, place)
    interpreter.invoke()
    return [interpreter.get_output(place) for place in range(count)]


def survives(attempt: Callable[[], Any]) -> bool:
    """Whether `attempt` ends well, tried in a copy of this process: an arena too small may end it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            attempt()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _smallest(works: Callable[[int], bool]) -> int:
    """The smallest multiple of 16 bytes that works, given that all above it do. Raises RuntimeError where none does."""
    high = 1024
    while not works(high):
        high *= 2
        if high > _LARGEST_ARENA:
            raise RuntimeError("no arena is large enough")
    low = high // 2
    while high - low > ALIGNMENT:
        middle = (low + high) // 2 // ALIGNMENT * ALIGNMENT
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def _main(folder: Path) -> None:
    content = (folder / "model.tflite").read_bytes()
    with np.load(folder / "inputs.npz") as file:
        arrays = [file[key] for key in file.files]
    count = len(positions(content)[1])
    arena = _smallest(lambda size: survives(lambda: run(content, arrays, count, size)))
    np.savez(folder / "outputs.npz", *run(content, arrays, count, arena))
    print(arena)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
