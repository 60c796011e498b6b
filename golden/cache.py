"""A cache of results that take long to compute, in files of the user's cache folder.

A missing or damaged file, or one that cannot be written, costs only time.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from golden.extras import install
from golden.files import write_atomically


def folder(otherwise: str = "") -> Path:
    """The cache folder of spintrit: SPINTRIT_CACHE, or one in the user's cache folder.

    Raises
    ------
    ModuleNotFoundError
        If platformdirs, which finds the user's folder, is not installed. The message ends with
        ``otherwise``.
    """
    named = os.environ.get("SPINTRIT_CACHE")
    if named:
        return Path(named)
    try:
        import platformdirs
    except ImportError:
        raise ModuleNotFoundError(
            f"platformdirs knows the cache folder: {install('demo')}{otherwise}",
            name="platformdirs",
        ) from None
    return Path(platformdirs.user_cache_dir("spintrit"))


def load(kind: str, key: dict[str, Any]) -> Any:
    """The value saved with ``key``, or None."""
    try:
        document = json.loads(_path(kind, key).read_bytes())
        value = document["value"]
        if document["key"] == key and document["digest"] == _digest(value):
            return value
    except (ImportError, OSError, ValueError, TypeError, LookupError, RecursionError):
        pass
    return None


def save(kind: str, key: dict[str, Any], value: Any) -> None:
    """Save ``value`` as JSON, if the folder can be written."""
    with contextlib.suppress(ImportError, OSError):
        path = _path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"key": key, "value": value, "digest": _digest(value)}
        write_atomically(path, json.dumps(document).encode())


def _path(kind: str, key: dict[str, Any]) -> Path:
    return folder() / kind / f"{_digest(key)}.json"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
