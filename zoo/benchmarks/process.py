"""Processes of their own: one with a fixed number of threads, and what one costs from its start to its first answer."""

import importlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import errors
from zoo.errors import ZooError

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_ONCE = """
import os, time
{code}
ended, times = time.time(), os.times()
from zoo.benchmarks.process import peak_mib
print(ended, times.user + times.system, peak_mib())
"""


def peak_mib() -> float:
    """Peak resident memory since the program was loaded, in MiB.

    Linux hands `ru_maxrss` down from the parent process, even through exec; `VmHWM` starts anew.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def pinned(threads: int) -> dict[str, str]:
    """The environment in which every library finds that number of threads as it starts."""
    return {**os.environ, **dict.fromkeys(_POOLS, str(threads)), "TF_NUM_INTEROP_THREADS": "1"}


def apart(function: str, arguments: Mapping[str, Any], threads: int | None = None, **environment: str) -> Any:
    """The answer, as JSON has it, of `package.module:function(**arguments)` in a process with so many threads, on as
    many cores (else as many as there are), and more in its environment. A ZooError raised there is raised here."""
    code = "from zoo.benchmarks import process; process.answer()"
    request = json.dumps({"function": function, "arguments": arguments, "threads": threads})
    given = (pinned(threads) if threads else dict(os.environ)) | environment
    done = subprocess.run([sys.executable, "-c", code], input=request, capture_output=True, text=True, env=given)
    if done.returncode:
        raise RuntimeError(f"{function} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if "error" in found:
        raise getattr(errors, found["error"])(found["text"])
    return found["answer"]


def answer() -> None:
    """The other end of `apart`: reads a request, and prints the answer as its last line."""
    request = json.loads(sys.stdin.read())
    if request["threads"]:
        keep_to(request["threads"])
    module, _, name = request["function"].partition(":")
    try:
        found = {"answer": getattr(importlib.import_module(module), name)(**request["arguments"])}
    except ZooError as error:
        found = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(found))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to(threads: int) -> None:
    """This process runs on the first `threads` of its cores, where the system can say so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def cold_start(code: str, threads: int = 1) -> dict[str, float]:
    """What a fresh process that runs `code` costs until it is done: seconds, seconds of CPU time, peak MiB; the medians
    of five such processes where the first is done within two seconds.

    Raises RuntimeError with the last line of what it printed if it fails.
    """
    measured = [_started(code, threads)]
    if measured[0][0] < 2:
        measured += [_started(code, threads) for _ in range(4)]
    wall, cpu, peak = map(statistics.median, zip(*measured, strict=True))
    return {"cold_s": round(wall, 3), "cold_cpu_s": round(cpu, 3), "peak_mib": round(peak, 1)}


def _started(code: str, threads: int) -> tuple[float, float, float]:
    """Seconds, seconds of CPU time and peak MiB of one process."""
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-c", _ONCE.format(code=code)], capture_output=True, text=True, env=pinned(threads)
    )
    if done.returncode:
        raise RuntimeError(f"a fresh process failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    ended, cpu, peak = map(float, done.stdout.splitlines()[-1].split())
    return ended - started, cpu, peak
