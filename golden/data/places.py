"""Places of a data set's files, and errors for damaged ones."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from golden import cache
from golden.data.download import Progress, fetch
from golden.data.pixels import MAX_BYTES
from golden.data.sources import Source

_BLOCK = 1 << 20

Finder = Callable[[Path], list[Path] | None]
"""The files of a data set in a folder, or None if they are not all there."""


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[None]:
    """Turn exceptions of a reader of ``path`` into a ValueError that names it.

    Errors of the file system are not changed: they are no damage of the content.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is damaged or not {kind}: {reason}") from error


def content_of(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The content of a file; raises ValueError if it has more than ``limit`` bytes."""
    size = path.stat().st_size
    if size > limit:
        raise ValueError(f"{path} has {size:,} bytes, more than {limit:,}")
    return path.read_bytes()


def read_up_to(file: Any, limit: int) -> bytes:
    """The content of an open file; if it is longer than ``limit``, its first limit + 1 bytes."""
    parts, left = [], limit + 1
    while left and (part := file.read(min(left, _BLOCK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def given_root(root: Path | None) -> Path | None:
    """The folder that the user names: ``root``, else SPINTRIT_DATA, else None."""
    if root is not None:
        return Path(root)
    named = os.environ.get("SPINTRIT_DATA")
    return Path(named) if named else None


def cache_root() -> Path:
    """The folder of downloads, in SPINTRIT_CACHE or the user's cache folder."""
    return cache.folder(", or give --data or SPINTRIT_DATA") / "data"


def locate(
    name: str,
    source: Source,
    find: Finder,
    root: Path | None,
    download: bool,
    progress: Progress | None,
) -> list[Path]:
    """The files of a data set.

    They are searched in ``root``, else in the folder SPINTRIT_DATA, else in the system's folder.
    Without ``root`` and SPINTRIT_DATA they are also searched in the cache, and downloaded into it.

    Raises
    ------
    OSError
        If files are missing or cannot be downloaded; the message names the files and the folder for
        them.
    """
    given, system = given_root(root), source.system if root is None else None
    base = given or cache_root()
    # Named folders come first: MNIST and Fashion-MNIST have the same file names.
    named = [*(base / folder for folder in source.folders), base]
    for folder in filter(None, [*named, system] if given else [system, *named]):
        found = find(folder)
        if found:
            return found
    if given is None and download:
        folder = base / name
        fetch(name, source, folder, progress)
        found = find(folder)
        if found:
            return found
    where = base if given else base / name
    raise FileNotFoundError(f"no {name} in {base}: {source.advice(where, system=root is None)}")
