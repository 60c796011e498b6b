"""Files written whole or not at all, locks on folders, and arrays as bytes and digests."""

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

_STEM = 48  # characters of a file's name that its unfinished successor's begins with


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
