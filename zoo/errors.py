"""Every error this project raises on purpose.

    ZooError
    ├── UnknownName         a model, recipe, data set or pattern that does not exist
    ├── InvalidInput        an argument, array or file content of the wrong shape, dtype, range or form
    ├── UntrustedFile       a file that is truncated, altered, or holds code (`Lambda`)
    ├── MissingDependency   an optional package that this call needs
    ├── DataMissing         a data set that is neither cached nor mirrored, and cannot be downloaded
    ├── PathNotEligible     an execution path of a layer that its configuration rules out
    └── ExportError         nothing was written
        ├── Unsupported     the model cannot be exported faithfully: layer, rule, remedy
        └── ParityError     what was written disagreed with Keras

Each text says what happened, with which value, and what to do. `exit_code` is what the command line returns:
1 for a check that failed, 2 for wrong usage.
"""

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    exit_code = 2


class UnknownName(ZooError, LookupError):
    """Raised with the near matches, because most unknown names are misspelt ones."""


class InvalidInput(ZooError, ValueError):
    pass


class UntrustedFile(ZooError, ValueError):
    exit_code = 1


class MissingDependency(ZooError, ImportError):
    pass


class DataMissing(ZooError, FileNotFoundError):
    pass


class PathNotEligible(ZooError, ValueError):
    pass


class ExportError(ZooError, RuntimeError):
    pass


class Unsupported(ExportError):
    pass


class ParityError(ExportError):
    exit_code = 1


def unknown_name(kind: str, name: str, known: Iterable[str], remedy: str) -> UnknownName:
    """The error for `name`, with the closest known name.

    >>> print(unknown_name("model", "bilstm.hra", ["bilstm.har", "gru.har"], "Run `zoo list` to see all 2 names."))
    Unknown model 'bilstm.hra'. Did you mean 'bilstm.har'? Run `zoo list` to see all 2 names.
    """
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    suggestion = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownName(f"Unknown {kind} {name!r}.{suggestion} {remedy}")
