"""What a model is, without the code that runs it: frozen, validated, JSON both ways; standard library only.

`TensorSpec`, `StateSpec` and `Signature` describe the face every executor has (Keras, SavedModel, ONNX, TFLite);
`ModelSpec` is a pretrained model's card. `to_json` and `from_json` work on every class of this file.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zoo.errors import InvalidInput

T = TypeVar("T")
DTYPES = ("float32", "float16", "int8", "int32", "int64", "bool")


@dataclass(frozen=True)
class TensorSpec:
    """One named array: `shape` has None where a size is free, `axes` names every axis.

    >>> TensorSpec("frames", "float32", (None, None, 9), ("batch", "time", "feature"), unit="g and rad/s").describe()
    'frames float32 [batch, time, 9]'
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    axes: tuple[str, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InvalidInput(f"Tensor {self.name!r} has dtype {self.dtype!r}; use one of {', '.join(DTYPES)}.")
        if len(self.shape) != len(self.axes):
            raise InvalidInput(f"Tensor {self.name!r} has {len(self.shape)} sizes but {len(self.axes)} axis names.")

    def describe(self) -> str:
        sizes = [axis if size is None else str(size) for size, axis in zip(self.shape, self.axes, strict=True)]
        return f"{self.name} {self.dtype} [{', '.join(sizes)}]"


@dataclass(frozen=True)
class StateSpec:
    """One state of a streaming artifact: read from input `input`, returned as output `output`, zero at the start."""

    layer: str
    input: str
    output: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out, the same for every format. `states` is empty unless the artifact streams."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    states: tuple[StateSpec, ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.outputs)


@dataclass(frozen=True)
class Score:
    """One measured number and how it was measured. `seeds` holds the value of every seed that was trained."""

    metric: str
    split: str
    value: float
    examples: int
    backend: str = "keras"
    quantize: str | None = None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Published:
    """A number from elsewhere to hold ours against; of another metric than the card's first where `metric` says so."""

    value: float
    what: str
    source: str
    metric: str | None = None


@dataclass(frozen=True)
class DatasetRef:
    name: str
    title: str
    url: str
    licence: str
    citation: str


@dataclass(frozen=True)
class ModelSpec:
    """A pretrained model's card: everything about it but the weights.

    `config` is what `zoo.models.build` needs; `files` maps each file of the folder to its sha256;
    `scores[0]` is the headline: the shipped Keras weights on the test split. `sample_rate` is in Hz, `window` in steps.
    `arena_bytes` is the memory TensorFlow Lite Micro needs for the int8 TFLite file, where it runs that.
    """

    name: str
    task: str
    family: str
    architecture: str
    summary: str
    intended_use: str
    limits: tuple[str, ...]
    config: dict[str, Any]
    signature: Signature
    labels: tuple[str, ...]
    preprocessing: str
    dataset: DatasetRef
    scores: tuple[Score, ...]
    published: tuple[Published, ...]
    parameters: int
    multiply_adds_per_step: int
    recipe: str
    seed: int
    training: dict[str, Any]
    commit: str
    files: dict[str, str]
    sample_rate: float | None = None
    window: int | None = None
    tried: tuple[str, ...] = ()
    version: int = 1
    bytes: dict[str, int] = field(default_factory=dict)
    arena_bytes: int | None = None

    def __post_init__(self) -> None:
        architecture, dot, tag = self.name.partition(".")
        if not (dot and architecture and tag):
            raise InvalidInput(f"Model name {self.name!r} must read architecture.tag, for example 'gru.har'.")
        if architecture != self.architecture:
            raise InvalidInput(
                f"Model {self.name!r} says architecture {self.architecture!r}; name and card must agree."
            )
        if not self.scores:
            raise InvalidInput(f"Model {self.name!r} has no score; a card without evidence is not shipped.")

    @property
    def score(self) -> Score:
        return self.scores[0]

    @property
    def onnx_bytes(self) -> int:
        """Of the ONNX file for whole sequences, or of those of an encoder and its decoder; a language model has the one
        that streams alone."""
        files = {file for file in self.bytes if file.endswith(".onnx")}
        return sum(self.bytes[file] for file in files - {"streaming.onnx"} or files)


def to_json(value: Any) -> str:
    """The text of a dataclass of this file, or of one built from them, one field a line."""
    return json.dumps(dataclasses.asdict(value), indent=1, ensure_ascii=False) + "\n"


def from_json(kind: type[T], text: str) -> T:
    """The inverse of `to_json`. Raises InvalidInput naming the first field that is missing, unknown or mistyped."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"Not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidInput("Not JSON that this project wrote: it is nested too deeply.") from error
    return typing.cast(T, _parse(kind, raw, kind.__name__))


def _parse(kind: Any, raw: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _parse_dataclass(kind, raw, where)
    if kind is Any:
        return raw
    if origin is tuple:
        _expect(raw, list, where)
        return tuple(_parse(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(raw))
    if origin is dict:
        _expect(raw, dict, where)
        return {key: _parse(arguments[1], item, f"{where}.{key}") for key, item in raw.items()}
    if origin is types.UnionType:
        if raw is None and type(None) in arguments:
            return None
        return _parse(arguments[0], raw, where)
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    _expect(raw, kind, where)
    return raw


def _parse_dataclass(kind: Any, raw: Any, where: str) -> Any:
    _expect(raw, dict, where)
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    unknown = sorted(raw.keys() - fields.keys())
    if unknown:
        raise InvalidInput(f"{where} has no field {unknown[0]!r}; its fields are {', '.join(fields)}.")
    optional = {
        name
        for name, item in fields.items()
        if item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
    }
    missing = [name for name in fields if name not in raw and name not in optional]
    if missing:
        raise InvalidInput(f"{where} lacks the field {missing[0]!r}.")
    return kind(**{name: _parse(hints[name], raw[name], f"{where}.{name}") for name in raw})


def _expect(raw: Any, kind: type, where: str) -> None:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise InvalidInput(f"{where} must be {kind.__name__}, not {type(raw).__name__} ({raw!r}).")
