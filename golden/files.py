"""Atomic writes of files, locks on folders, and arrays as bytes and digests."""

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_STEM = 48  # characters of a file's name in that of its unfinished part


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors of the system the file name ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; readers find old or new content, even after a crash.

    Links are followed. Only regular files are replaced, no folders, devices or pipes. The file
    keeps its permissions. The content is first written to ``<name>.<process>-<random>.part`` beside
    ``path``. If the process is killed, that file stays until the next write of ``path``.

    Raises
    ------
    OSError
        If ``path`` cannot be written or is no regular file; the message names it.
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
    """Remove unfinished parts of ``path`` whose processes are no longer alive."""
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
    """Hold a lock on ``folder``, if its file system has locks; gives the folder's descriptor.

    Raises
    ------
    BlockingIOError
        If another process holds the lock and ``wait`` is False.
    """
    import fcntl  # not on every system, but `import golden` must work everywhere

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
