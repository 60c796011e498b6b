"""Checkpoint files: named arrays and one JSON document in an .npz, written whole or not at all.

Nothing is pickled. Every member of the archive carries a CRC, so a damaged file is noticed.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "spintrit-checkpoint-1"
_META = "meta"
_STEM = 48  # characters of a file's name that its unfinished successor's begins with

Groups = dict[str, dict[str, np.ndarray]]


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make errors of the system within name ``path``, whether they had a name or not."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; whoever reads it, even after a crash, finds old or new.

    A link is followed; anything but a regular file (a folder, a device, a pipe) is left alone. A
    file that is replaced keeps its permissions. Until it is complete the content lies beside
    ``path`` in a file of a name of its own, ``<name>.<process>-<random>.part``. If the process is
    killed, that file stays until ``path`` is written the next time.

    Raises
    ------
    OSError
        Naming ``path``, if it cannot be written or is no regular file.
    """
    path = path.resolve()
    with naming(path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        _remove_leftovers(path)
        part = path.with_name(f"{path.name[:_STEM]}.{os.getpid()}-{os.urandom(4).hex()}.part")
        try:
            with part.open("xb") as file:  # neither a file nor a link of this name is touched
                if mode is not None:
                    with contextlib.suppress(PermissionError):  # not every file system has modes
                        os.fchmod(file.fileno(), mode & 0o777)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)  # noqa: PTH105  (next to fsync: the pair is the point)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove_leftovers(path: Path) -> None:
    """Remove what writers of ``path`` that are no longer alive have left beside it."""
    ours = re.compile(re.escape(path.name[:_STEM]) + r"\.(\d+)-[0-9a-f]{8}\.part")
    for other in path.parent.iterdir():
        found = ours.fullmatch(other.name)
        if found and not _is_alive(int(found[1])):
            other.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


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
    theirs, meta, groups = _read(path)
    for name, mine in identity.items():
        if theirs.get(name) != mine:
            raise ValueError(f"{path} was made with {name} = {theirs.get(name)!r}, not {mine!r}")
    return meta, groups


def identity(path: Path) -> dict[str, Any]:
    """What a checkpoint says of its run, see ``save``; raises as ``load``."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any], Groups]:
    """Identity, meta and groups of a checkpoint."""
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
    return theirs, meta, groups
