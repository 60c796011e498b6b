"""Checkpoint files: named arrays and one JSON document in an .npz, written whole or not at all.

Nothing is pickled. Every member of the archive carries a CRC, so a damaged file is noticed.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "spintrit-checkpoint-1"
_META = "meta"

Groups = dict[str, dict[str, np.ndarray]]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; whoever reads it, even after a crash, finds old or new.

    A link is followed; anything but a regular file (a folder, a device, a pipe) is left alone.

    Raises
    ------
    OSError
        Naming the file, if it cannot be written or is no regular file.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)  # noqa: PTH105  (next to fsync: the pair is the point)
        except BaseException:
            part.unlink()
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold a lock on ``folder``, as far as its file system has such a thing; gives its descriptor.

    Raises
    ------
    BlockingIOError
        If another process holds it and we are not to ``wait``.
    """
    import fcntl  # not on every system, and `import golden` is to work there

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield descriptor
    finally:
        os.close(descriptor)


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """``arrays`` as the content of an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays: types, shapes and contents."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def save(path: Path, identity: dict[str, Any], meta: dict[str, Any], groups: Groups) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    identity : dict
        What a run must share with this one to go on from here, by name.
    meta : dict
        Whatever else JSON can hold.
    groups : dict of str to dict of str to ndarray
        Arrays of numbers or booleans, in named groups; no group's name holds a colon.

    Raises
    ------
    OSError
        Naming the file, if it cannot be written.
    """
    document = {"format": FORMAT, "identity": identity, "meta": meta}
    content = np.frombuffer(json.dumps(document).encode(), np.uint8)
    arrays = {f"{group}:{name}": a for group, part in groups.items() for name, a in part.items()}
    write_atomically(path, npz({_META: content, **arrays}))


def load(path: Path, identity: dict[str, Any]) -> tuple[dict[str, Any], Groups]:
    """Read what ``save`` wrote: meta and the groups that hold any array.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        Naming the file, if it is truncated, damaged or something else, or if its identity differs
        from ``identity``; the first name that differs is told.
    """
    content = path.read_bytes()
    try:
        # Damage can show as nearly any exception, depending on the byte: all mean the same here.
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
    for name, mine in identity.items():
        if theirs.get(name) != mine:
            raise ValueError(f"{path} was made with {name} = {theirs.get(name)!r}, not {mine!r}")
    return meta, groups
