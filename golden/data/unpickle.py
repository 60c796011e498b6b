"""Pickles of plain numpy arrays, read without running anything in them.

A pickle is a program. Here the few names that an array of bytes needs give inert records, and all
other names are refused. The arrays are then made from the records.
"""

import io
import pickle
from typing import Any

import numpy as np

_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "type",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "bytes",  # bytes, as Python 3 writes them for Python 2
}


class _Record:
    """A call in a pickle, and the state that the pickle sets."""

    __slots__ = ("args", "kind", "state")

    def __init__(self, kind: str, args: tuple[Any, ...]) -> None:
        self.kind, self.args = kind, args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Name:
    """The object for one of ``_NAMES``: a callable that records the call."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, *args: Any) -> _Record:
        return _Record(self.kind, args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a name has no state")


# The Python version: that in C allocates as many objects as a damaged pickle announces.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _Name(_NAMES[module, name])


def _bytes(value: Any) -> bytes:
    if isinstance(value, _Record) and value.kind == "bytes":
        text, encoding = value.args
        if encoding in ("latin1", b"latin1"):
            return (text if isinstance(text, str) else text.decode("latin1")).encode("latin1")
    if not isinstance(value, bytes):
        raise ValueError(f"an array's content is a {type(value).__name__}")
    return value


def _plain(value: Any) -> Any:
    """``value``; a record becomes its array of bytes."""
    if not isinstance(value, _Record):
        return value
    if value.kind == "bytes":
        return _bytes(value)
    if value.kind != "array":
        raise ValueError(f"it holds a {value.kind} for an array")
    _, shape, dtype, fortran, content = value.state
    if not isinstance(dtype, _Record) or dtype.kind != "dtype":
        raise ValueError("an array has no type")
    if dtype.args[0] not in ("u1", b"u1"):
        raise ValueError(f"an array's type is {dtype.args[0]!r}, not u1")
    flat = np.frombuffer(_bytes(content), np.uint8)
    return flat.reshape(shape, order="F" if fortran else "C")


def loads(content: bytes) -> Any:
    """The object in a pickle: numbers, strings, lists, and dictionaries with arrays of uint8.

    Strings of Python 2 become bytes. An array may be the object itself or a value of a dictionary.

    Raises
    ------
    Exception
        Almost any kind, if the pickle is damaged or contains anything else.
    """
    try:
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except EOFError:
        raise ValueError("Ran out of input") from None
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    return _plain(value)
