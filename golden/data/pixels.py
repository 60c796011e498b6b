"""From pixels to small integers, the inputs of a network."""

from typing import NamedTuple

import numpy as np

from golden import checks

INPUT_BITS = 2, 8  # least and most bits of an input
_BLOCK = 1 << 20
MAX_BYTES = 2 << 30
"""Largest size of a data set's unpacked files, and of its pixels, bytes: a limit for files that
announce more than memory can hold."""


class Raw(NamedTuple):
    """A data set as in its files.

    Images are (N, height, width, channels) uint8, labels int64. ``classes`` are the names of the
    classes in the order of the labels.
    """

    name: str
    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    augment: str


def ternarise(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Trits (int8) of pixels of any shape: -1 below ``low``, +1 above ``high``, else 0."""
    return (pixels > high).astype(np.int8) - (pixels < low).astype(np.int8)


def quantise(pixels: np.ndarray, input_bits: int) -> np.ndarray:
    """Pixels 0 ... 255 as integers of ``input_bits`` bits, symmetric about zero.

    rint((p - 127.5) / 127.5 * limit) with limit = 2^(input_bits - 1) - 1; two bits give trits.

    Parameters
    ----------
    pixels : ndarray of uint8, of any shape
    input_bits : int
        2 to 8.

    Returns
    -------
    ndarray of int8, of the same shape

    Raises
    ------
    TypeError
        If the pixels are not uint8.
    """
    input_bits = checks.integer("input_bits", input_bits, *INPUT_BITS)
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels must be uint8, not {pixels.dtype}")
    limit = 2 ** (input_bits - 1) - 1
    table = np.rint((np.arange(256) - 127.5) / 127.5 * limit).astype(np.int8).tobytes()
    result = np.empty(pixels.shape, np.int8)
    flat, target = pixels.reshape(-1), result.reshape(-1)
    for start in range(0, flat.size, _BLOCK):  # an index array would take int64 for each pixel
        block = flat[start : start + _BLOCK].tobytes().translate(table)
        target[start : start + _BLOCK] = np.frombuffer(block, np.int8)
    return result
