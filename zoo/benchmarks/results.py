"""Result files: CSV with the conditions of the run in every row, so that a row can be judged alone."""

import csv
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
RUNTIMES = ("tensorflow-cpu", "keras", "onnxruntime", "ai-edge-litert")


def conditions(packages: Sequence[str], **facts: Any) -> dict[str, Any]:
    """`facts` (threads, rounds, …), then command, commit, device and versions: what a number depends on besides the
    code it measures. Call it before measuring."""
    return {
        **facts,
        "command": _command(),
        "commit": _commit(),
        "device": f"{_processor()}, {os.cpu_count()} cores",
        "versions": " ".join(f"{name} {metadata.version(name)}" for name in packages),
    }


def _command() -> str:
    """What this process was started by: `python -m zoo.benchmarks.inference`, `zoo bench inference`."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    words = ["python", "-m", module.name] if module else [Path(sys.argv[0]).name]
    return shlex.join([*words, *sys.argv[1:]])


@cache
def _commit() -> str:
    """The commit that is checked out, with `-dirty` where a source file differs from it."""
    head, changed = (_git(*words) for words in (("rev-parse", "--short", "HEAD"), ("diff", "--stat", "HEAD", ":/*.py")))
    return f"{head}{'-dirty' if changed else ''}" if head else "unknown"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=FOLDER, capture_output=True, text=True).stdout.strip()


def installed(packages: Sequence[str], against: Sequence[str] = ()) -> list[str]:
    """`packages`, and those of the peers of these names that are installed."""
    found = [*packages, *(package for peer in against for package in _PEERS.get(peer, ()))]
    return [name for name in dict.fromkeys(found) if _version(name)]


_PEERS = {"torch": ("torch",), "openvino": ("openvino",), "keras-export": ("tf2onnx",)}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def write(name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows of the same keys to `results/<name>.csv`, in place of what it held."""
    path = FOLDER / f"{name}.csv"
    beside = path.with_suffix(".partial")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(beside, path)
    return path


def read(name: str) -> list[dict[str, str]]:
    """The rows of `results/<name>.csv`, every cell as text."""
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
