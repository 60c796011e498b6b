"""Max pooling of images (batch, height, width, channels), side by side, in numpy."""

import numpy as np


def _largest(x: np.ndarray, axis: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each ``side`` entries along ``axis``, 1 or 2, and its number; of equal entries
    the first."""
    size = x.shape[axis] // side * side
    parts = [x[(slice(None),) * axis + (slice(i, size, side),)] for i in range(side)]
    best = parts[1] > parts[0]
    largest, which = np.maximum(parts[0], parts[1]), best.view(np.uint8)
    for number in range(2, side):
        which = np.where(parts[number] > largest, np.uint8(number), which)
        largest = np.maximum(largest, parts[number])
    return largest, which


def pool(x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each ``side`` x ``side`` pixels, and its number, counted by rows.

    The first of equal pixels is chosen. Rows and columns that fill no pool are left out. ``side``
    is at least 2.
    """
    # Along the rows first: the result is then the first of equal pixels, counted by rows.
    along, column = _largest(x, 2, side)
    largest, row = _largest(along, 1, side)
    best = column[:, 0 : row.shape[1] * side : side]
    for number in range(1, side):
        lower = column[:, number : row.shape[1] * side : side] + np.uint8(number * side)
        best = np.where(row == number, lower, best)
    return largest, best


def unpool(y: np.ndarray, best: np.ndarray, shape: tuple[int, ...], side: int) -> np.ndarray:
    """``y`` at the pixels that ``pool`` chose in images of ``shape``, zero elsewhere."""
    x = np.zeros(shape, y.dtype)
    height, width = (n * side for n in y.shape[1:3])
    for number in range(side * side):
        i, j = divmod(number, side)
        np.multiply(y, best == number, out=x[:, i:height:side, j:width:side])
    return x
