"""Checkpoint files: named arrays and one JSON document in an .npz, written whole or not at all.

Nothing is pickled. Every member of the archive carries a CRC, so a damaged file is noticed.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from golden.files import npz, write_atomically

FORMAT = "spintrit-checkpoint-1"
_META = "meta"

Groups = dict[str, dict[str, np.ndarray]]


def save(path: Path, identity: dict[str, Any], meta: dict[str, Any], groups: Groups) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    identity : dict
        Settings that a run must share to resume from this checkpoint, by name.
    meta : dict
        Other values that JSON can hold.
    groups : dict of str to dict of str to ndarray
        Arrays of numbers or booleans, in named groups; no group's name holds a colon.

    Raises
    ------
    OSError
        If the file cannot be written; the message names it.
    """
    document = {"format": FORMAT, "identity": identity, "meta": meta}
    content = np.frombuffer(json.dumps(document).encode(), np.uint8)
    arrays = {f"{group}:{name}": a for group, part in groups.items() for name, a in part.items()}
    write_atomically(path, npz({_META: content, **arrays}))


def load(path: Path, identity: dict[str, Any]) -> tuple[dict[str, Any], Groups]:
    """Read a checkpoint: meta and the groups, those without an array left out.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the file is truncated, damaged or no checkpoint, or its identity differs from
        ``identity``. The message names the file, and the first name that differs.
    """
    theirs, meta, groups = _read(path)
    for name, mine in identity.items():
        if theirs.get(name) != mine:
            raise ValueError(f"{path} was made with {name} = {theirs.get(name)!r}, not {mine!r}")
    return meta, groups


def identity(path: Path) -> dict[str, Any]:
    """The identity in a checkpoint, see ``save``; raises as ``load``."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any], Groups]:
    """Identity, meta and groups of a checkpoint."""
    content = path.read_bytes()
    try:
        # Damage can cause almost any exception, depending on the byte: all mean the same here.
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        document = json.loads(arrays.pop(_META).tobytes())
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT!r}")
        theirs, meta = dict(document["identity"]), document["meta"]
        groups: Groups = {}
        for name, array in arrays.items():
            group, _, name = name.partition(":")
            groups.setdefault(group, {})[name] = array
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint, or damaged: {error}") from error
    return theirs, meta, groups
