"""JSON files, read with checks; errors in them are ValueErrors that name the file."""

import json
from pathlib import Path
from typing import Any

_DIGITS = 300  # most digits of an integer that a float can hold
_KINDS = {dict: "a JSON object", list: "a JSON array", str: "a text", int: "an integer"}


def read(path: Path, kind: type = dict) -> Any:
    """The content of a JSON file, a dict or a list.

    Raises
    ------
    ValueError
        If it is no JSON, holds an integer too large for a float, or is not of type ``kind``.
    OSError
        If the file cannot be read.
    """
    return parse(path.read_bytes(), str(path), kind)


def parse(text: bytes, where: str, kind: type = dict) -> Any:
    """The content of a JSON text; ``where`` names it in errors. Raises ValueError as ``read``."""
    try:
        value = json.loads(text.decode(), parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is damaged: {error}") from None
    if not isinstance(value, kind):
        raise ValueError(f"{where} is damaged: it must hold {_KINDS[kind]}, not {value!r:.20}")
    return value


def entry(document: dict[str, Any], name: str, kind: type, where: str, default: Any = None) -> Any:
    """An entry of a JSON object, of the type ``kind``.

    Raises
    ------
    ValueError
        If it has another type, or is missing and has no ``default``.
    """
    if name not in document and default is not None:
        return default
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must hold {name!r}, {_KINDS[kind]}")
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"an integer of {len(text)} digits is too large")
    return int(text)
