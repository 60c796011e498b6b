"""Fetching published files: mirrors, resume, sizes, checksums; urllib does the rest."""

import contextlib
import hashlib
import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golden.data.pixels import MAX_BYTES
from golden.data.sources import SOURCES, Source
from golden.files import alone

__all__ = ["SOURCES", "DownloadError", "Progress", "Source", "fetch"]

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes so far, and its length if it is known."""

TIMEOUT_S = 30.0  # for a connection that sends nothing
ANSWER_S = 90.0  # for the head of an answer
WINDOW_S, WINDOW_BYTES = 60.0, 600 * 1024  # a mirror that sends less in this time is given up
RETRIES = 3
PAUSE_S = 1.0
_BLOCK = 1 << 16


class DownloadError(OSError):
    """A file could not be fetched."""


class _Cut(Exception):
    """The connection ended before the end of the file; a retry may help."""


class _Failed(Exception):
    """This mirror does not have the file, or is too slow."""


def fetch(name: str, source: Source, folder: Path, progress: Progress | None = None) -> None:
    """Fetch the files of a data set that are not in ``folder`` yet.

    Unfinished downloads of earlier calls are continued. Calls for one folder wait for each other.

    Raises
    ------
    DownloadError
        If no mirror gives a file; the message names the files and the folder for them.
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder) as descriptor:
        for file, md5 in source.files.items():
            if (folder / file).exists():
                continue
            reasons = []
            for mirror in source.mirrors:
                size = source.sizes.get(file)
                reason = _from_mirror(mirror + file, folder / file, md5, size, progress)
                if reason is None:
                    os.fsync(descriptor)
                    break
                reasons.append(reason)
            else:
                why = "; ".join(dict.fromkeys(reasons))
                raise DownloadError(
                    f"cannot download {name} ({why}): {source.advice(folder)}, or give --data or "
                    "SPINTRIT_DATA"
                )


def _from_mirror(
    url: str, target: Path, md5: str, size: int | None, progress: Progress | None
) -> str | None:
    """Fetch one file from one mirror. Returns the reason of a failure, or None."""
    part = target.with_name(target.name + ".part")
    host, cuts = urllib.parse.urlsplit(url).netloc, 0
    while True:
        try:
            resumed = _transfer(url, part, target.name, size, progress)
        except _Cut as error:
            if cuts == RETRIES:
                return f"{host}: {error}"
            cuts += 1
            time.sleep(PAUSE_S * cuts)
            continue
        except _Failed as error:
            return f"{host}: {error}"
        with part.open("rb") as file:
            have = hashlib.file_digest(file, _md5).hexdigest()
        if have == md5:
            os.replace(part, target)  # noqa: PTH105  (atomic: the pair with fsync is the point)
            return None
        part.unlink()
        if not (resumed and cuts < RETRIES):  # else the earlier beginning was wrong
            return f"{host}: {target.name} has MD5 {have}, not {md5}"
        cuts += 1


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _transfer(url: str, part: Path, name: str, size: int | None, progress: Progress | None) -> bool:
    """Fetch ``url``, or the rest of it, into ``part``. Returns whether there was a beginning.

    Bytes that arrived are kept in ``part``, unless they are known to be wrong.

    Raises
    ------
    _Cut
        If only part of the file arrived.
    _Failed
        If the mirror does not have the file, has another one, or is too slow.
    OSError
        If the file cannot be written; the message names it.
    """
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        return True  # nothing is left to fetch; the checksum decides
    request = urllib.request.Request(url, headers={"User-Agent": "spintrit"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    answer = _answer(request)
    if answer is None:
        return True
    with answer:
        goes_on: bool = answer.status == http.client.PARTIAL_CONTENT
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)  # the next request is for the whole file
            raise _Cut(f"sent another range than asked for, from byte {have} on")
        done = have if goes_on else 0
        bound = MAX_BYTES if size is None else size
        total = _length(answer, done, size, bound, goes_on=goes_on)
        with _writing(part, "ab" if goes_on else "wb") as file:
            mark, since = done, time.monotonic()
            while block := _block(answer):
                done += len(block)
                if done > bound:
                    break
                file.write(block)
                if progress is not None:
                    progress(name, done, total)
                if time.monotonic() - since >= WINDOW_S:
                    if done - mark < WINDOW_BYTES:
                        raise _Failed(f"sends less than {WINDOW_BYTES} bytes in {WINDOW_S:g} s")
                    mark, since = done, time.monotonic()
    if done > bound:
        part.unlink()
        raise _Failed(f"sends more than {bound} bytes")
    if total is not None and done < total:
        raise _Cut(f"cut after {done} of {total} bytes")
    return goes_on


def _length(
    answer: Any, done: int, size: int | None, bound: int, *, goes_on: bool
) -> int | None:  # fmt: skip
    """Bytes of the whole file, of which ``done`` have arrived; None if unknown.

    Raises
    ------
    _Failed
        If the mirror announces more than ``bound``, or, for a whole file, another number than
        ``size``.
    """
    total = size if answer.length is None else done + answer.length
    if total is not None and (total > bound or (size not in (None, total) and not goes_on)):
        limit = f"more than {bound}" if size is None else f"not {size}"
        raise _Failed(f"announces {total} bytes, {limit}")
    return size or total


@contextlib.contextmanager
def _writing(part: Path, mode: str) -> Any:
    """The open file ``part``; bytes written are kept after any error. Errors name the file."""
    try:
        with part.open(mode) as file:
            try:
                yield file
            finally:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        error.filename = error.filename or str(part)
        raise


def _answer(request: urllib.request.Request) -> Any:
    """The answer to a request after its head, or None if the range is past the end.

    A separate thread waits for it, since a name lookup or a slow head may never end.
    """
    result: queue.Queue[Any] = queue.Queue()
    late = threading.Event()

    def ask() -> None:
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except Exception as error:
            result.put(error)
            return
        result.put(answer)
        if late.is_set():
            answer.close()

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = result.get(timeout=ANSWER_S)
    except queue.Empty:
        late.set()
        raise _Failed(f"no answer in {ANSWER_S:g} s") from None
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()
        if request.has_header("Range") and (
            answer.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE
        ):
            return None  # nothing is left to fetch; the checksum decides
        raise _Failed(_line(answer))
    if isinstance(answer, urllib.error.URLError):
        raise _Failed(_line(answer.reason))
    if isinstance(answer, OSError | http.client.HTTPException):
        raise _Cut(_line(answer))
    if isinstance(answer, Exception):  # for example a redirection to an invalid address
        raise _Failed(_line(answer))
    return answer


def _block(answer: Any) -> bytes:
    """Bytes that have arrived, at most a block; none at the end."""
    try:
        block: bytes = answer.read1(_BLOCK)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Cut(_line(error)) from error
    return block
