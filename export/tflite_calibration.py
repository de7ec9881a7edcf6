"""Integer quantisation around marked recurrences (`export.lowering.marked`), of which no quantiser may see the loops.

The file is cut at every marker: what the marker reads becomes an output, what it writes an input, and calibration feeds
the recurrence's own answers there, which `record` has computed. The quantiser's file is then put together again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export import tflite_loops
from export.lowering.marked import PREFIX, Marked
from export.lowering.recurrence import Recurrence
from export.lowering.source import Source
from export.lowering.tflite import TFLiteTarget, channels_last
from export.lowering.trace import Tracer, lowered
from export.saved_model import SIGNATURE
from export.tflite_graph import Graph
from export.tflite_loops import Ranges

Examples = Sequence[dict[str, np.ndarray]]


def record(
    source: Source, specs: Sequence[tf.TensorSpec], target: TFLiteTarget, examples: Examples, path: Path
) -> dict[str, tuple[Recurrence, Ranges]]:
    """The recurrences a target marks and their ranges; what each answers to every example goes to `path`."""

    def marked(*tensors: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        source(tensors)
        return [(item.x, item.sequence) for item in target.marked]

    with lowered(source.model, Tracer(target), source.rules), channels_last():
        function = tf.function(marked, input_signature=list(specs), autograph=False).get_concrete_function()
    runs = [function(*(tf.constant(example[spec.name]) for spec in specs)) for example in examples]
    answers = {
        f"{number}/{item.name}": run[place][1].numpy()
        for number, run in enumerate(runs)
        for place, item in enumerate(target.marked)
    }
    np.savez(path, **answers)
    return {item.name: (item.item, _ranges(item, place, runs)) for place, item in enumerate(target.marked)}


def _ranges(item: Marked, place: int, runs: Sequence[Any]) -> Ranges:
    return tflite_loops.ranges(item.item, [run[place][0].numpy() for run in runs])


def load(path: Path) -> list[dict[str, np.ndarray]]:
    """Marker -> answer, for every example."""
    found: dict[int, dict[str, np.ndarray]] = {}
    with np.load(path) as file:
        for key in file.files:
            number, name = key.split("/")
            found.setdefault(int(number), {})[name] = file[key]
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class Cut:
    """A file without its markers. `reads` says for each where its input is now: ("input" or "output", place)."""

    content: bytes
    markers: tuple[str, ...]
    reads: dict[str, tuple[str, int]]
    inputs: int
    outputs: int
    signature: tuple[tuple[str, ...], tuple[str, ...]]

    def feeds(self, examples: Examples, answers: Examples) -> Iterator[list[np.ndarray]]:
        """The examples in the order of the inputs of the cut file."""
        for example, answer in zip(examples, answers, strict=True):
            yield [example[name] for name in self.signature[0]] + [answer[name] for name in self.markers]


def cut(content: bytes) -> Cut:
    main = Graph.read(content)
    markers = {code: operator for operator in main.operators if (code := main.custom_code(operator)).startswith(PREFIX)}
    inputs, outputs, reads = main.inputs, main.outputs, {}
    signature = main.signature()
    for name, operator in markers.items():
        (x,) = operator.inputs
        if x not in inputs and x not in outputs:
            outputs = [*outputs, x]
        reads[name] = ("input", inputs.index(x)) if x in inputs else ("output", outputs.index(x))
    sizes = len(main.inputs), len(main.outputs)
    main.operators = [operator for operator in main.operators if operator not in markers.values()]
    main.inputs = [*inputs, *(operator.outputs[0] for operator in markers.values())]
    main.outputs = outputs
    main.model.signatureDefs = []
    return Cut(main.packed(), tuple(markers), reads, *sizes, signature)


def joined(content: bytes, gap: Cut) -> bytes:
    """The quantised `content` of `gap` with the markers in their places again."""
    main = Graph.read(content)
    inputs, outputs = main.inputs, main.outputs
    for place, name in enumerate(gap.markers):
        kind, index = gap.reads[name]
        main.custom(name, inputs[index] if kind == "input" else outputs[index], inputs[gap.inputs + place])
    main.inputs, main.outputs = inputs[: gap.inputs], outputs[: gap.outputs]
    main.sort()
    main.sign(gap.signature, SIGNATURE)
    return main.packed()


def foreign(content: bytes) -> list[str]:
    """The custom operators that are no markers: what TFLite has no operator for."""
    main = Graph.read(content)
    codes = [main.custom_code(operator) for operator in main.operators]
    return [code for code in codes if code and not code.startswith(PREFIX)]
