"""The memory of the process at hand."""

import re
import resource
import sys
from pathlib import Path


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
