"""The accelerator's integer arithmetic, element by element."""

from typing import NamedTuple

import numpy as np

from golden.accel.config import CHANGE_FRACTION, ERROR_LIMIT, FRACTION, OFFSET_BITS, OFFSET_FRACTION
from golden.config import ArrayConfig
from golden.pulse.table import code_values


class Bounds(NamedTuple):
    """Thresholds and window of columns, int64, ``FRACTION`` bits behind the point.

    The activation is +1 above ``upper`` and -1 below ``lower``. A sum is within the window if its
    distance from ``mean`` is in [``inner``, ``outer``]. All fields have the same shape.
    """

    mean: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    inner: np.ndarray
    outer: np.ndarray


def statistics(totals: np.ndarray, factor: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean absolute deviation over axis 0, ``FRACTION`` bits behind the point.

    Both are rounded down; the deviation is at least 1, the smallest number.
    ``factor`` / 2^``shift`` is 2^FRACTION over the number of totals.
    """
    mean = totals.sum(axis=0) * factor >> shift
    deviations = np.abs((totals << FRACTION) - mean).sum(axis=0)
    return mean, np.maximum(deviations * factor >> shift + FRACTION, 1)


def bounds(
    mean: np.ndarray, spread: np.ndarray, offset: np.ndarray, r: int, inner: int, outer: int
) -> Bounds:
    """Thresholds and window for a column's ``mean`` and ``spread``.

    Their centre is the mean minus ``offset`` spreads; ``offset`` has ``OFFSET_FRACTION`` bits
    behind the point. The thresholds are ``r`` spreads away from it, the window's bounds ``inner``
    and ``outer`` spreads; these have 8 bits behind the point.
    """
    reach = spread * r >> 8
    mean = mean - (spread * offset >> OFFSET_FRACTION)
    return Bounds(mean, mean + reach, mean - reach, spread * inner >> 8, spread * outer >> 8)


def learnt(offset: np.ndarray, mean_error: np.ndarray, learn: int) -> np.ndarray:
    """A column's offset after a step by its mean error, which has ``FRACTION`` bits."""
    if not learn:
        return offset
    top = (1 << OFFSET_BITS - 1) - 1
    changed: np.ndarray = np.clip(offset + (mean_error << learn - 1), -top - 1, top)
    return changed


def half_even(x: np.ndarray, shift: int) -> np.ndarray:
    """x / 2^shift, rounded to the nearest, halves to even."""
    down = x >> shift
    rest = x - (down << shift)
    half = 1 << shift >> 1
    rounded: np.ndarray = down + ((rest > half) | ((rest == half) & (down & 1 == 1)) & (shift > 0))
    return rounded


def requantise(x: np.ndarray, shift: int) -> np.ndarray:
    """Errors of 8 bits: ``half_even``, clipped to +-127, int8."""
    errors: np.ndarray = np.clip(half_even(x, shift), -ERROR_LIMIT, ERROR_LIMIT).astype(np.int8)
    return errors


def log2(x: int) -> int:
    """log2 of a positive integer, 8 bits behind the point, linear between powers of two.

    It is at most 0.09 too low. Source: Mitchell, IRE Trans. Electronic Computers EC-11, 1962.
    """
    lead = x.bit_length() - 1
    return lead << 8 | (x << 8 >> lead) & 0xFF


def rate(logarithm: int) -> tuple[int, int]:
    """2^(logarithm / 256) as factor and right shift, by the same approximation."""
    whole = logarithm >> 8
    return 256 + (logarithm & 0xFF), min(max(8 - whole, 0), 63)


def levels(array: ArrayConfig) -> np.ndarray:
    """Changes of the pulse codes, ``CHANGE_FRACTION`` bits behind the point, (codes,) int64.

    The change of code 0 is 0, that of the full pulse is one step.
    """
    nu = np.concatenate(([0.0], code_values(array.codes), [1.0]))
    steps: np.ndarray = np.rint(nu * (1 << CHANGE_FRACTION)).astype(np.int64)
    return steps


def split(size: np.ndarray, draws: np.ndarray, array: ArrayConfig) -> tuple[np.ndarray, np.ndarray]:
    """Split changes into whole steps and pulse codes.

    Parameters
    ----------
    size : ndarray of int64
        Magnitudes in steps, ``CHANGE_FRACTION`` bits behind the point.
    draws : ndarray of the same shape
        Random numbers of ``draw_bits`` bits. They choose between the two neighbouring codes so that
        the expected level is exact.
    array : ArrayConfig

    Returns
    -------
    kappa, code : ndarray of the same shape
    """
    one = 1 << CHANGE_FRACTION
    size = np.minimum(size, array.max_kappa * one)
    kappa, rest = size // one, size % one
    values = levels(array)
    low = np.searchsorted(values[1:-1], rest, side="right")
    gap = values[low + 1] - values[low]
    up = (rest - values[low] << array.draw_bits) > draws.astype(np.int64) * gap
    return kappa, low + up
