"""Small data sets for tests of their files."""

import gzip
import struct
from pathlib import Path

import numpy as np

from golden.data import Split, quantise

STEMS = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


def some(count: int, *shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of ten classes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count) % 10


def same_samples(
    split: Split, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> None:
    """Check that all samples are there: training ones in one of two parts, test ones in theirs."""
    bits = split.input_bits
    np.testing.assert_array_equal(split.x_test, quantise(x_test, bits))
    np.testing.assert_array_equal(split.y_test, y_test)
    have = [
        (int(label), image.tobytes())
        for part in ("train", "val")
        for image, label in zip(
            getattr(split, f"x_{part}"), getattr(split, f"y_{part}"), strict=True
        )
    ]
    wanted = [
        (int(label), image.tobytes()) for image, label in zip(quantise(x, bits), y, strict=True)
    ]
    assert sorted(have) == sorted(wanted)


def idx_bytes(values: object) -> bytes:
    """An IDX file of bytes."""
    array = np.asarray(values, np.uint8)
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, packed: bool = True, spelling: str = "-idx") -> list[np.ndarray]:
    """A small set of 40 and 20 images of 5 x 4 pixels; returns its arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = [*some(40, 5, 4), *some(20, 5, 4, seed=1)]
    for stem, array in zip(STEMS, arrays, strict=True):
        content, name = idx_bytes(array), stem.replace("-idx", spelling)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


def write_svhn(folder: Path, packed: bool = True) -> list[np.ndarray]:
    """A small set of 40 and 20 images in SVHN's format; returns its arrays."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": some(40, 32, 32, 3), "test": some(20, 32, 32, 3, seed=1)}
    for part, (x, y) in parts.items():
        content = {"X": x.transpose(1, 2, 3, 0), "y": np.where(y, y, 10).astype(np.uint8)[:, None]}
        savemat(folder / f"{part}_32x32.mat", content, do_compression=packed)
    return [array for part in parts.values() for array in part]
