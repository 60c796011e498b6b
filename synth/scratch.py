"""Temporary build folders, which are removed however the process ends."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

PREFIX = "spintrit-building-"
_PLAIN = re.compile(r"[\w./+@-]+", re.ASCII)
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def is_plain(path: Path) -> bool:
    """Whether make and a shell take the path as it is: ASCII letters, digits and ``_./+@-``."""
    return bool(_PLAIN.fullmatch(str(path.resolve())))


def plain_folder(wanted: Path) -> Path:
    """``wanted`` if it ``is_plain``, otherwise the system's folder for temporary files.

    Raises
    ------
    OSError
        If neither is plain; the message names both.
    """
    temporary = Path(tempfile.gettempdir())
    for folder in (wanted, temporary):
        if is_plain(folder):
            return folder
    raise OSError(
        f"make can build neither in {str(wanted)!r} nor in {str(temporary)!r}: "
        "set TMPDIR to a folder whose path holds only ASCII letters, digits and _./+@-"
    )


class _Ended(BaseException):
    """A signal that is to end this process."""


@contextlib.contextmanager
def unwound() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP run all ``finally`` before they end the process.

    A signal that has a handler of its own is left to it, and so are all outside of the main thread.
    """
    before = {}

    def handle(number: int, _: FrameType | None) -> None:
        raise _Ended(number)

    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, handle)
    try:
        yield
    except _Ended as ended:
        number = ended.args[0]
        if number not in before:
            raise
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def building(place: Path, prefix: str = PREFIX) -> Iterator[Path]:
    """A new folder in ``place``, which is removed at the end.

    A process that is killed leaves its folder behind. The next call for the same ``place`` and
    ``prefix`` removes it: a folder in use is locked, and is left alone. All folders whose names
    begin with ``prefix`` count as ours.
    """
    for found in place.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _locked(found, wait=False):
            shutil.rmtree(found, ignore_errors=True)
    with unwound():
        while True:
            folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
            try:
                with contextlib.ExitStack() as stack:
                    with contextlib.suppress(OSError):  # a file system without locks
                        stack.enter_context(_locked(folder))
                    if folder.exists():
                        yield folder
                        return
            finally:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Raises OSError if the folder cannot be opened or locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
