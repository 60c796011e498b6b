"""SVHN, street view house numbers, cropped to single digits: MATLAB files.

``extra_32x32.mat``, half a million easier images, is not used, even if it is there.
"""

from pathlib import Path

import numpy as np

from golden.data import matfile
from golden.data.pixels import Raw
from golden.data.places import content_of, reading

FILES = ("train_32x32.mat", "test_32x32.mat")
CLASSES = 10
SIDE = 32


def find(folder: Path) -> list[Path] | None:
    """The two files, training first."""
    paths = [folder / name for name in FILES]
    return paths if all(path.is_file() for path in paths) else None


def part(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) uint8 and labels of one file; label 10 in the file is digit 0."""
    with reading(path, "a file of SVHN"):
        content = matfile.loads(content_of(path))
        if not {"X", "y"} <= content.keys():
            raise ValueError("it has no X and y")
        x, y = content["X"], content["y"].reshape(-1)
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (SIDE, SIDE, 3):
            raise ValueError(f"X is {x.dtype} {x.shape}, not uint8 (32, 32, 3, N)")
        if y.dtype.kind not in "iuf" or ((y < 1) | (y > CLASSES) | (y != np.rint(y))).any():
            raise ValueError("y holds something else than 1 to 10")
        if x.shape[3] != len(y):
            raise ValueError(f"it holds {x.shape[3]} images and {len(y)} labels")
        return np.ascontiguousarray(x.transpose(3, 0, 1, 2)), y.astype(np.int64) % CLASSES


def read(name: str, paths: list[Path]) -> Raw:
    """The data set from the files of ``find``; digits must not be mirrored."""
    return Raw(name, tuple("0123456789"), *part(paths[0]), *part(paths[1]), "crop")
