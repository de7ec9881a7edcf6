"""Reads one metadata entry of a TFLite file: enough FlatBuffers for that, and nothing to install.

Layout (tensorflow/compiler/mlir/lite/schema/schema.fbs): Model.buffers is field 4 and Model.metadata field 6;
Metadata is {name: 0, buffer: 1}; Buffer is {data: 0}.
"""

import struct

_BUFFERS, _METADATA = 4, 6


def read(content: bytes, name: str) -> bytes | None:
    """The bytes stored under `name`, or None. Raises ValueError for content that is not a TFLite file."""
    if content[4:8] != b"TFL3":
        raise ValueError("the identifier TFL3 is missing")
    try:
        model = _Table(content, struct.unpack_from("<I", content, 0)[0])
        for entry in model.tables(_METADATA):
            if entry.bytes(0) == name.encode():
                return model.tables(_BUFFERS)[entry.uint32(1)].bytes(0)
    except (struct.error, IndexError) as error:
        raise ValueError("its tables point outside the file") from error
    return None


class _Table:
    """A FlatBuffers table at `position`: fields are found through its vtable, which lies `int32` bytes before it."""

    def __init__(self, content: bytes, position: int) -> None:
        self.content, self.position = content, position
        self.vtable = position - struct.unpack_from("<i", content, position)[0]

    def _field(self, index: int) -> int | None:
        slot = 4 + 2 * index
        if slot >= struct.unpack_from("<H", self.content, self.vtable)[0]:
            return None
        offset: int = struct.unpack_from("<H", self.content, self.vtable + slot)[0]
        return self.position + offset if offset else None

    def _vector(self, index: int) -> tuple[int, int]:
        """Start and length of the vector (or string) in field `index`."""
        at = self._field(index)
        if at is None:
            return 0, 0
        start = at + struct.unpack_from("<I", self.content, at)[0]
        return start + 4, struct.unpack_from("<I", self.content, start)[0]

    def uint32(self, index: int) -> int:
        at = self._field(index)
        return 0 if at is None else int(struct.unpack_from("<I", self.content, at)[0])

    def bytes(self, index: int) -> bytes:
        start, length = self._vector(index)
        if start + length > len(self.content):
            raise IndexError(index)
        return self.content[start : start + length]

    def tables(self, index: int) -> "list[_Table]":
        start, length = self._vector(index)
        places = [start + 4 * item for item in range(min(length, len(self.content) // 4))]
        return [_Table(self.content, at + struct.unpack_from("<I", self.content, at)[0]) for at in places]
