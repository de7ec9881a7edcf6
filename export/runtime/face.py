"""The signature of a file: what its metadata says, held against what the file itself declares."""

from collections.abc import Sequence
from dataclasses import replace

from export.manifest import Manifest
from zoo.errors import UntrustedFile
from zoo.spec import Signature, TensorSpec

_AXES = {0: (), 1: ("batch",), 2: ("batch", "feature"), 3: ("batch", "time", "feature")}


def tensor(name: str, dtype: str, sizes: Sequence[int | None]) -> TensorSpec:
    """A spec for a tensor that only its file describes: axes by rank, rank 2 of integers being [batch, time]."""
    rank = len(sizes)
    tokens = rank == 2 and dtype in ("int32", "int64", "bool")
    many = ("batch", "time", *(f"axis{axis}" for axis in range(2, rank)))
    return TensorSpec(name, dtype, tuple(sizes), ("batch", "time") if tokens else _AXES.get(rank, many))


def described(found: Signature, metadata: Manifest | None, where: str) -> Signature:
    """The metadata's signature where there is one; a size that only the file fixes is fixed.

    Raises UntrustedFile where names, dtypes or sizes of the two contradict each other.
    """
    if metadata is None:
        return found
    said = metadata.signature
    merged = replace(
        said, inputs=_merged(said.inputs, found.inputs, where), outputs=_merged(said.outputs, found.outputs, where)
    )
    for state in said.states:
        if state.input not in merged.input_names or state.output not in merged.output_names:
            raise _of_another_file(where, f"a state from {state.input!r} to {state.output!r}", "holds no such tensors")
    return merged


def _merged(said: Sequence[TensorSpec], found: Sequence[TensorSpec], where: str) -> tuple[TensorSpec, ...]:
    by_name = {spec.name: spec for spec in found}
    merged = tuple(_fixed(spec, by_name.pop(spec.name, None), where) for spec in said)
    for spec in by_name.values():
        raise _of_another_file(where, "nothing of a tensor", f"holds {spec.describe()}")
    return merged


def _of_another_file(where: str, said: str, held: str) -> UntrustedFile:
    return UntrustedFile(
        f"{where} says in its metadata {said}, but {held}. Its metadata are of another file: export it again."
    )


def _fixed(said: TensorSpec, found: TensorSpec | None, where: str) -> TensorSpec:
    if found is None or found.dtype != said.dtype or not _compatible(said.shape, found.shape):
        held = f"holds {found.describe()}" if found else "holds no such tensor"
        raise _of_another_file(where, said.describe(), held)
    if len(found.shape) != len(said.shape):
        return said
    return replace(said, shape=tuple(b if a is None else a for a, b in zip(said.shape, found.shape, strict=True)))


def _compatible(said: Sequence[int | None], found: Sequence[int | None]) -> bool:
    """An output whose rank the file does not declare is found with no sizes."""
    if not found:
        return True
    return len(said) == len(found) and all(None in pair or pair[0] == pair[1] for pair in zip(said, found, strict=True))
