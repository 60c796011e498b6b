"""MNIST and Fashion-MNIST: IDX files, gzipped or not."""

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np

from golden.data.pixels import MAX_BYTES, Raw
from golden.data.places import read_up_to, reading

_STEMS = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
_UBYTE = 8
CLASSES = 10
NAMES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ),
}  # fmt: skip

# Both sets have the same file names. The MD5 of the unpacked training labels distinguishes them.
_TRAIN_LABELS = {
    "mnist": "a25bea736e30d166cdddb491f175f624",
    "fashion-mnist": "9018921c3c673c538a1fc5bad174d6f9",
}


def find(folder: Path) -> list[Path] | None:
    """The four files, in the order of ``read``; ``-idx`` may be spelt ``.idx``."""
    found = []
    for stem in _STEMS:
        names = (stem, f"{stem}.gz", stem.replace("-idx", ".idx"))
        paths = [folder / name for name in names if (folder / name).is_file()]
        if not paths:
            return None
        found.append(paths[0])
    return found


def unpack(path: Path, ndim: int) -> bytes:
    """The unpacked content of a file.

    It is cut at the length in the head. If the head is wrong, it is the head alone.
    """
    with path.open("rb") as file, reading(path, "a gzip file"):
        unpacked = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        head = read_up_to(unpacked, _head(ndim) - 1)
        try:
            due = _head(ndim) + math.prod(_shape(head, ndim))
        except ValueError:
            return head  # ``array`` reports the error
        if due > MAX_BYTES:
            raise ValueError(f"its head announces {due:,} bytes, more than {MAX_BYTES:,}")
        return head + read_up_to(unpacked, due - len(head))


def _head(ndim: int) -> int:
    """Bytes before the numbers."""
    return 4 + 4 * ndim


def _shape(content: bytes, ndim: int) -> tuple[int, ...]:
    """The shape in the head of a file; raises ValueError if it has not ``ndim`` dimensions."""
    if len(content) < _head(ndim) or content[:2] != b"\0\0":
        raise ValueError(f"it starts with {content[:4].hex() or 'nothing'}")
    if content[2] != _UBYTE:
        raise ValueError(f"its type code is {content[2]:#04x}, not {_UBYTE:#04x}")
    if content[3] != ndim:
        raise ValueError(f"it has {content[3]} dimensions, not {ndim}")
    return tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, 4))


def array(path: Path, content: bytes, ndim: int) -> np.ndarray:
    """The array of bytes in an IDX file.

    Raises
    ------
    ValueError
        If the file is no IDX file of bytes with ``ndim`` dimensions, or its length differs from
        that in its head; the message names it.
    """
    with reading(path, "an IDX file"):
        shape, head = _shape(content, ndim), _head(ndim)
        due = head + math.prod(shape)
        if len(content) != due:
            raise ValueError(f"shape {shape} takes {due} bytes, {len(content)} are there")
        return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _part(images: Path, labels: Path, train_of: str = "") -> tuple[np.ndarray, np.ndarray]:
    content = unpack(labels, 1)
    y = array(labels, content, 1)
    for name, digest in _TRAIN_LABELS.items():
        if train_of not in ("", name) and _md5(content) == digest:
            raise ValueError(f"{labels} belongs to {name}, not to {train_of}")
    x = array(images, unpack(images, 3), 3)
    if len(x) != len(y):
        raise ValueError(f"{images} holds {len(x)} images, {labels} {len(y)} labels")
    if y.size and y.max() >= CLASSES:
        at = int(np.argmax(y >= CLASSES))
        raise ValueError(f"{labels}: label {at} must be in 0 to {CLASSES - 1}, not {y[at]}")
    return x[..., None], y.astype(np.int64)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def read(name: str, paths: list[Path]) -> Raw:
    """The data set ``name`` from the four files of ``find``."""
    x_train, y_train = _part(paths[0], paths[1], name)
    x_test, y_test = _part(paths[2], paths[3])
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(
            f"{paths[2]} holds images of {x_test.shape[1:3]} pixels, {paths[0]} of "
            f"{x_train.shape[1:3]}"
        )
    return Raw(name, NAMES[name], x_train, y_train, x_test, y_test, "none")
