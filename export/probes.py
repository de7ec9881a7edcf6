"""The inputs an exported file is tried on: sizes, kinds of values, and what each input may hold. NumPy only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.runtime.inputs import Arrays
from zoo.spec import TensorSpec

SIZES = ((1, 1), (2, 2), (7, 17), (1, 400))  # (batch, length), each used where the model leaves it free
KIND_SIZES = {"held values": (1, 400)}
KIND_SIZE = (2, 17)
LARGE = 1e3
HELD = 10.0
_KINDS = ("zeros", "large values", "held values", "padded rows", "masked steps")
_HOLDS = 16


@dataclass(frozen=True)
class Domain:
    """What an input may hold: integers from 0 to `size` - 1, numbers from -`bound` to `bound`, and the value that
    stands for padding."""

    size: int = 2
    padding: float = 0.0
    bound: float = np.inf


@dataclass(frozen=True)
class Probe:
    what: str
    inputs: Arrays


def probes(specs: Sequence[TensorSpec], domains: Mapping[str, Domain], *, large: bool = True) -> Iterator[Probe]:
    """Normal values at every one of `SIZES` that the specs leave free, and one probe of every other kind.

    Held values stay the same for 25 of 400 steps, so that cell states grow as far as they can (the fused TFLite
    operator may clip them). `large=False` leaves out what lies outside the range of a quantised file.
    """
    random, seen = np.random.default_rng(0), set()
    kinds = [kind for kind in _KINDS if large or kind not in ("large values", "held values")]
    for kind, size in [("normal values", size) for size in SIZES] + [
        (kind, KIND_SIZES.get(kind, KIND_SIZE)) for kind in kinds
    ]:
        probe = _probe(kind, specs, domains, *size, random)
        if probe.what not in seen:
            seen.add(probe.what)
            yield probe


def _probe(
    kind: str,
    specs: Sequence[TensorSpec],
    domains: Mapping[str, Domain],
    batch: int,
    length: int,
    random: np.random.Generator,
) -> Probe:
    inputs = {}
    for spec in specs:
        sizes = zip(spec.shape, spec.axes, strict=True)
        shape = tuple((batch if axis == "batch" else length) if size is None else size for size, axis in sizes)
        domain = domains.get(spec.name, Domain())
        inputs[spec.name] = _pad(kind, spec, _values(kind, spec.dtype, shape, domain, random), domain)
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
    return Probe(f"{kind}, {shapes}", inputs)


def _values(kind: str, dtype: str, shape: tuple[int, ...], domain: Domain, random: np.random.Generator) -> np.ndarray:
    """Booleans are masks: all true, unless the kind is zeros. Integers are tokens, of which 0 pads."""
    if kind == "zeros":
        return np.zeros(shape, dtype)
    if dtype == "bool":
        return np.ones(shape, dtype)
    if dtype.startswith("int"):
        low = 1 if kind in ("padded rows", "masked steps") and domain.size > 1 else 0
        return random.integers(low, domain.size, shape).astype(dtype)
    values = random.standard_normal(shape) * {"large values": LARGE, "held values": HELD}.get(kind, 1.0)
    if kind == "held values" and len(shape) > 1:
        held = max(1, shape[1] // _HOLDS)
        values = values[:, np.arange(shape[1]) // held * held]
    return np.clip(values, -domain.bound, domain.bound).astype(dtype)


def _pad(kind: str, spec: TensorSpec, values: np.ndarray, domain: Domain) -> np.ndarray:
    """Rows of decreasing length for "padded rows", every third step for "masked steps": the same for all inputs."""
    if kind not in ("padded rows", "masked steps") or "time" not in spec.axes[1:2]:
        return values
    batch, steps = values.shape[:2]
    step, row = np.arange(steps), np.arange(batch)[:, None]
    padded = (
        step >= np.maximum(1, steps - (row + 1) * steps // (batch + 1))
        if kind == "padded rows"
        else (step + row) % 3 == 0
    )
    values[padded] = False if values.dtype == bool else domain.padding
    return values
