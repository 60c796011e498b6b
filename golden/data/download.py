"""Fetching published files: mirrors, resume, checksums; urllib does the rest."""

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from golden.checkpoint import alone

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are there, and its length if the server tells it."""

TIMEOUT_S = 30.0
RETRIES = 3
PAUSE_S = 1.0
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Parameters
    ----------
    files : dict of str to str
        MD5 by file name.
    mirrors : tuple of str
        URLs that the names are appended to, in the order in which they are tried.
    folders : tuple of str
        Folders that its files are commonly kept in.
    system : Path
        Where a package of the system puts it.
    package : str
        The command that installs this package.
    """

    files: dict[str, str]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    system: Path | None = None
    package: str = ""

    def advice(self, folder: Path, *, system: bool = True) -> str:
        """What to do without a download, in one line; ``system``: its folder is looked at, too."""
        package = f"{self.package}, or " if self.package and system else ""
        return f"{package}put {', '.join(self.files)} from {self.mirrors[0]} into {folder}"


# MD5 of the files as they are published, that is, packed: MNIST's, Fashion-MNIST's and SVHN's as
# torchvision lists them, CIFAR-10's from its page. Of CIFAR-10 the binary version, which needs no
# unpickling.
SOURCES = {
    "mnist": Source(
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        ("mnist", "MNIST/raw", "MNIST"),
    ),
    "fashion-mnist": Source(
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
        Path("/usr/share/datasets/fashion-mnist"),
        "apt install dataset-fashion-mnist",
    ),
    "cifar10": Source(
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar10", "cifar-10", "CIFAR10"),
    ),
    "svhn": Source(
        {
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        },
        ("http://ufldl.stanford.edu/housenumbers/",),
        ("svhn", "SVHN"),
    ),
}


class DownloadError(OSError):
    """A file could not be fetched."""


class _Cut(Exception):
    """The connection ended before the file did."""


_BROKEN = (_Cut, TimeoutError, ConnectionError, http.client.HTTPException, ssl.SSLError)


def fetch(name: str, source: Source, folder: Path, progress: Progress | None = None) -> None:
    """Fetch the files of a data set that are not in ``folder`` yet.

    What an earlier call left unfinished is continued. Calls for one folder wait for each other.

    Raises
    ------
    DownloadError
        If a file cannot be had from any mirror; the message tells what to put where.
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
                reason = _from_mirror(mirror + file, folder / file, md5, progress)
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


def _from_mirror(url: str, target: Path, md5: str, progress: Progress | None) -> str | None:
    """Fetch one file from one mirror; returns why that failed, or None."""
    part = target.with_name(target.name + ".part")
    host, cuts = urllib.parse.urlsplit(url).netloc, 0
    while True:
        try:
            resumed = _transfer(url, part, target.name, progress)
        except _BROKEN as error:
            if cuts == RETRIES:
                return f"{host}: {_line(error)}"
            cuts += 1
            time.sleep(PAUSE_S * cuts)
            continue
        except urllib.error.URLError as error:
            plain = isinstance(error, urllib.error.HTTPError)
            return f"{host}: {_line(error if plain else error.reason)}"
        with part.open("rb") as file:
            have = hashlib.file_digest(file, _md5).hexdigest()
        if have == md5:
            os.replace(part, target)  # noqa: PTH105  (atomic: the pair with fsync is the point)
            return None
        part.unlink()
        if not (resumed and cuts < RETRIES):  # else the beginning, from who knows where, was wrong
            return f"{host}: {target.name} has MD5 {have}, not {md5}"
        cuts += 1


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _transfer(url: str, part: Path, name: str, progress: Progress | None) -> bool:
    """Fetch ``url`` into ``part``, or the rest of it; returns whether there was a beginning.

    Raises
    ------
    _Cut
        If less arrived than the server announced; ``part`` keeps it.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "spintrit"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True  # nothing is left to fetch; the checksum decides
        raise
    with answer:
        wanted = f"bytes {have}-"
        goes_on = answer.status == http.client.PARTIAL_CONTENT and answer.headers.get(
            "Content-Range", ""
        ).startswith(wanted)
        if not goes_on:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if goes_on else "wb") as file:
            done = have
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(name, done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Cut(f"cut after {done} of {total} bytes")
    return goes_on
