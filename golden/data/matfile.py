"""Arrays of numbers in MATLAB files of version 5 (MATLAB 5 to 7.2, compressed or not).

scipy.io.loadmat reads more types, but a wrong type code in a damaged file ends its process.

References
----------
MathWorks, "MAT-File Format", chapter 1.
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from golden.data.pixels import MAX_BYTES

_HEAD = 128
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX = 0x800
# Number types by the code of an element, and by the class of an array. The former may be narrower.
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip


def loads(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in a file by name; other content is left out.

    Raises
    ------
    ValueError, zlib.error
        If the file is damaged or of another version.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEAD])
    if order is None:
        raise ValueError("it has no head of a MATLAB 5 file")
    [version] = struct.unpack(f"{order}H", content[124:126])
    if version != 0x100:
        raise ValueError(f"its version is {version:#06x}, not 0x0100 (MATLAB's -v6 and -v7)")
    arrays: dict[str, np.ndarray] = {}
    left = MAX_BYTES  # of unpacked bytes, and of the arrays themselves
    for kind, body in _elements(memoryview(content)[_HEAD:], order):
        if kind == _COMPRESSED:
            unpacked = _unpacked(body, left)
            left -= len(unpacked)
            [(kind, body)] = _elements(memoryview(unpacked), order)
        if kind == _MATRIX:
            found = _matrix([*_elements(body, order)], order, left)
            left -= sum(array.nbytes for array in found.values())
            arrays |= found
    return arrays


def _unpacked(content: memoryview, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(content, limit + 1)
    if len(unpacked) > limit:
        raise ValueError(f"it unpacks to more than {MAX_BYTES:,} bytes")
    if not unpacker.eof:
        raise ValueError("a compressed element is incomplete")
    return unpacked


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type code and content of each element."""
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise ValueError("it ends within an element")
        kind, size = struct.unpack_from(f"{order}2I", content, at)
        start = at + 8
        if kind >> 16:  # a small one: size, code and content in eight bytes
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            at = start + 4
        else:
            at = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(content):
            raise ValueError("it ends within an element")
        yield kind, content[start : start + size]


def _matrix(parts: list[tuple[int, memoryview]], order: str, limit: int) -> dict[str, np.ndarray]:
    """Name and array from flags, shape, name and numbers; empty if it is no plain real array."""
    flags = int(np.frombuffer(parts[0][1], f"{order}u4", 1)[0])
    kind = _CLASSES.get(flags & 0xFF)
    if kind is None or flags & _COMPLEX:
        return {}
    (_, shape), (_, name), (stored, numbers) = parts[1:4]
    lengths = np.frombuffer(shape, f"{order}i4").tolist()
    if stored not in _STORED:
        raise ValueError(f"an array has the type code {stored}")
    values = np.frombuffer(numbers, order + _STORED[stored])
    if min(lengths, default=-1) < 0 or math.prod(lengths) != len(values):
        raise ValueError(f"an array of shape {tuple(lengths)} has {len(values)} numbers")
    if len(values) * np.dtype(kind).itemsize > limit:
        raise ValueError(f"an array of shape {tuple(lengths)} takes too much memory")
    array = values.astype(kind, copy=False).reshape(lengths, order="F")
    return {bytes(name).decode("latin1"): array}
