"""CIFAR-10: the binary or the Python version, packed or unpacked."""

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from golden.data import unpickle
from golden.data.pixels import Raw
from golden.data.places import read_up_to, reading

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SHAPE = (3, 32, 32)  # red, green, blue planes, as in the files
PIXELS = 3 * 32 * 32
BATCH = 10_000  # images in a file


def _most() -> int:
    """Largest size of a file, bytes; pickles of Python 3 can take two bytes for one."""
    return 3 * BATCH * (1 + PIXELS)


def _binary(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Records of a label and 3,072 pixels."""
    wanted = BATCH * (1 + PIXELS)
    if len(content) != wanted:
        raise ValueError(f"it has {len(content)} bytes, not {wanted}")
    records = np.frombuffer(content, np.uint8).reshape(BATCH, 1 + PIXELS)
    return records[:, 1:], records[:, 0]


def _pickled(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """A pickled dictionary of arrays; no code in it is run."""
    batch = unpickle.loads(content)
    if not isinstance(batch, dict):
        raise ValueError(f"it holds a {type(batch).__name__}, not a dict")
    entries = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    if not {"data", "labels"} <= entries.keys():
        raise ValueError("it has no data and labels")
    pixels, labels = entries["data"], np.asarray(entries["labels"])
    if not isinstance(pixels, np.ndarray) or pixels.shape != (BATCH, PIXELS):
        raise ValueError(f"its data are {np.shape(pixels)}, not ({BATCH}, {PIXELS})")
    if labels.dtype.kind not in "iu" or labels.shape != (BATCH,):
        raise ValueError(f"its labels are {labels.dtype} {labels.shape}, not {BATCH} integers")
    return pixels, labels


_BINARY = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")
_PYTHON = tuple(name.removesuffix(".bin") for name in _BINARY)
_PACKED = {"cifar-10-binary.tar.gz": _BINARY, "cifar-10-python.tar.gz": _PYTHON}


def find(folder: Path) -> list[Path] | None:
    """The six files of a version, training first, or its archive."""
    for below in ("cifar-10-batches-bin", "cifar-10-batches-py", ""):
        for names in (_BINARY, _PYTHON):
            paths = [folder / below / name for name in names]
            if all(path.is_file() for path in paths):
                return paths
    for archive in _PACKED:
        if (folder / archive).is_file():
            return [folder / archive]
    return None


def _contents(paths: list[Path]) -> Iterator[tuple[str, str, bytes]]:
    """Name of each file, its name in messages, and its content; in an archive's own order."""
    if len(paths) > 1:
        for path in paths:
            with path.open("rb") as batch:
                yield path.name, str(path), read_up_to(batch, _most())
        return
    [archive] = paths
    wanted = set(_PACKED[archive.name])
    with reading(archive, "a packed CIFAR-10"), gzip.open(archive) as unpacked:
        with tarfile.open(fileobj=unpacked, mode="r|") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                file = tar.extractfile(member) if name in wanted else None
                if file is not None:
                    wanted.remove(name)
                    yield name, f"{archive}: {name}", read_up_to(file, _most())
        while unpacked.read(1 << 20):  # to the end, where gzip's checksum is
            pass
        if wanted:
            raise ValueError(f"it lacks {min(wanted)}")


def read(name: str, paths: list[Path]) -> Raw:
    """The data set from the files of ``find``."""
    names = _PACKED[paths[0].name] if len(paths) == 1 else tuple(path.name for path in paths)
    x = np.empty((len(names) * BATCH, *SHAPE[1:], SHAPE[0]), np.uint8)
    y = np.empty(len(x), np.int64)
    for file, called, content in _contents(paths):
        with reading(called, "a batch of CIFAR-10"):
            if len(content) > _most():
                raise ValueError(f"it has more than {_most():,} bytes")
            pixels, labels = (_binary if file.endswith(".bin") else _pickled)(content)
            if labels.min() < 0 or labels.max() >= len(CLASSES):
                raise ValueError("its labels are not all in 0 to 9")
        at = slice(names.index(file) * BATCH, (names.index(file) + 1) * BATCH)
        x[at] = pixels.reshape(BATCH, *SHAPE).transpose(0, 2, 3, 1)
        y[at] = labels
    last = len(x) - BATCH
    return Raw(name, CLASSES, x[:last], y[:last], x[last:], y[last:], "crop-flip")
