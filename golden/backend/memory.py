"""Memory of large arrays."""

import contextlib
import ctypes
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


@cache
def keep() -> None:
    """Let the process keep the memory of large arrays, for the next ones of their size.

    To get fresh pages from the system takes longer than to fill them. Other C libraries than glibc
    go on as before.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, -1)
