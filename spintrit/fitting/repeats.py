"""Rows of a measurement that repeat a point: equal values are grouped, rows pooled and compared."""

from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.005  # relative: a meter's noise is below it, steps that are meant are above it
WIDEST = 4  # tolerances that a group may span
ROUNDING = 1e-9  # relative: 0.9 and 0.9000000000000002 are one at any tolerance
EXPECTED = 5  # of each outcome in a row, at least, for a chi-square test of rows


@dataclass(frozen=True, eq=False)
class Grouped:
    """Measured values, grouped where they are equal.

    Parameters
    ----------
    values : ndarray of shape (groups,), float
        One value a group, rising: the mean of its members by trials.
    index : ndarray of shape (rows,), integer
        Group of each row.
    spread : float
        Largest over smallest member, less 1, in the group where that is most.
    cut : tuple of float or None
        Ends of the widest run of values that had to be cut.
    """

    values: np.ndarray
    index: np.ndarray
    spread: float
    cut: tuple[float, float] | None


def group(values: np.ndarray, trials: np.ndarray, tolerance: float) -> Grouped:
    """Group values that are equal within a tolerance.

    Neighbours that differ by less than ``tolerance`` (relative) are in one run. A run that spans up
    to ``WIDEST`` tolerances is a group. A wider one is cut at its widest gaps until no part spans
    more, so groups do not chain ever wider. The result depends on the set of values alone, not on
    their order.

    Parameters
    ----------
    values : ndarray of shape (rows,), positive float
    trials : ndarray of shape (rows,), integer
        Weights of the means.
    tolerance : float
        Relative difference; at least ``ROUNDING`` is used.
    """
    unique, index = np.unique(values, return_inverse=True)
    weights = np.bincount(index, trials)
    ratios = unique[1:] / unique[:-1]
    tolerance = max(tolerance, ROUNDING)
    ends = np.flatnonzero(ratios >= 1 + tolerance) + 1
    todo = list(zip([0, *ends.tolist()], [*ends.tolist(), len(unique)], strict=True))
    starts, cut, spread = [], (1.0, 1.0), 0.0
    while todo:
        first, last = todo.pop()
        low, high = float(unique[first]), float(unique[last - 1])
        if high < low * (1 + WIDEST * tolerance) or last - first == 1:
            starts.append(first)
            spread = max(spread, high / low - 1)
            continue
        cut = max(cut, (low, high), key=lambda run: run[1] / run[0])
        middle = first + 1 + int(np.argmax(ratios[first : last - 1]))
        todo += [(first, middle), (middle, last)]
    begin = np.array(sorted(starts))
    size = np.diff([*begin, len(unique)])
    mean = np.add.reduceat(unique * weights, begin) / np.add.reduceat(weights, begin)
    mean = np.where(
        size == 1, unique[begin], np.clip(mean, unique[begin], unique[begin + size - 1])
    )
    member = np.repeat(np.arange(len(begin)), size)
    return Grouped(mean, member[index], spread, cut if cut[1] > cut[0] else None)


@dataclass(frozen=True, eq=False)
class Pooled:
    """Rows put together point by point, in rising order of the points.

    Parameters
    ----------
    first : ndarray of shape (points,), integer
        The first row of each point.
    rows : ndarray of shape (points,), integer
        Rows of each point.
    probability : ndarray of shape (points,), float
    trials : ndarray of shape (points,), integer
    chi2 : ndarray of shape (points,), float
        Chi-square of the rows of a point against their common share, over the rows in which at
        least ``EXPECTED`` of each outcome are expected.
    freedom : ndarray of shape (points,), integer
        Its degrees of freedom; 0 where fewer than two rows are long enough.
    """

    first: np.ndarray
    rows: np.ndarray
    probability: np.ndarray
    trials: np.ndarray
    chi2: np.ndarray
    freedom: np.ndarray


def pool(point: np.ndarray, probability: np.ndarray, trials: np.ndarray) -> Pooled:
    """Put rows together that have the same number in ``point``.

    The order of rows does not matter, and neither does how the same trials are cut into rows.
    """
    order = np.lexsort((probability, point))
    starts = np.flatnonzero(np.diff(point[order], prepend=-1))
    rows = np.diff([*starts, len(order)])
    share, n = probability[order], trials[order]
    # A share is a rounded quotient of counts. A product that is whole up to rounding is the count.
    switched = share * n
    whole = np.rint(switched)
    switched = np.where(np.abs(switched - whole) <= 1e-9 * np.maximum(n, 1), whole, switched)

    total, count = np.add.reduceat(n, starts), np.add.reduceat(switched, starts)
    pooled = np.where(rows == 1, share[starts], count / total)

    member = np.repeat(np.arange(len(starts)), rows)
    expected = np.minimum(pooled, 1 - pooled)[member] * n
    long = expected >= EXPECTED
    n, switched, member = n[long], switched[long], member[long]
    points = len(starts)
    among = np.bincount(member, n, points)
    common = np.bincount(member, switched, points) / np.maximum(among, 1)
    variance = common * (1 - common)
    apart = (switched - n * common[member]) ** 2 / np.maximum(n * variance[member], 1e-300)
    freedom = np.maximum(np.bincount(member, minlength=points) - 1, 0) * (variance > 0)
    chi2 = np.where(freedom > 0, np.bincount(member, apart, points), 0.0)
    return Pooled(np.minimum.reduceat(order, starts), rows, pooled, total, chi2, freedom)
