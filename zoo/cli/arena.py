"""`python -m zoo.cli.arena [NAME …]`: the memory that TensorFlow Lite Micro needs for a model, measured and written
onto its card; all models if none is named. A card that says it already comes out as it is.
"""

import dataclasses
import sys

from export import calibration, micro
from export.backends import cached
from export.check import ALLOWED
from export.runtime import load
from export.runtime.pipelines import PIPELINES, Pipeline
from zoo import registry
from zoo.cli.output import console
from zoo.cli.quiet import import_tensorflow
from zoo.errors import ParityError, Unsupported

QUANTIZE = "int8"


def arena_bytes(name: str) -> int | None:
    """Of the int8 TFLite file of a model; None where there is none, or where it does not run there."""
    spec = registry.get(name)
    if PIPELINES.get(spec.task, Pipeline).PARTS != ("model",):
        return None
    try:
        path = cached(name, "tflite", QUANTIZE)
    except (Unsupported, ParityError):
        return None
    signature = load(path).signature
    (sample,) = calibration.fitting(signature, calibration.typical(spec, signature, QUANTIZE)[:1])
    return micro.arena_bytes(path, sample, ALLOWED[QUANTIZE])


def write(name: str) -> int | None:
    spec = dataclasses.replace(registry.get(name), arena_bytes=arena_bytes(name))
    registry.write_card(spec)
    return spec.arena_bytes


if __name__ == "__main__":
    import_tensorflow()
    for model in sys.argv[1:] or registry.names():
        console.print(f"{model}: {write(model)}", markup=False)
