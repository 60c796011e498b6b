"""Exact thinning: random draws for only a few of many rare, independent events.

Each of n x width events happens with a small probability of its own. A bound of it is known for
each line. Candidates are drawn at the bound's rate, and draws are made for candidates alone: the
cost is in proportion to their number. A candidate is accepted with its probability divided by the
bound. Source: the thinning of point processes, Lewis and Shedler, Naval Research Logistics 26,
1979.
"""

import numpy as np

# In lines with a higher bound all events are candidates: a draw for each is cheaper there.
DENSE = 0.25


def candidates(bound: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of candidates.

    Each event of line i is a candidate with probability ``bound[i]``, independent of all others. If
    ``bound[i]`` is above ``DENSE``, all are. A unit Poisson process runs along the events; each
    event takes -ln(1 - bound) of its time. An event is a candidate if a point falls into it.

    Parameters
    ----------
    bound : ndarray of shape (n,), float64 in [0, 1]
    width : int
        Events of a line.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (count,), int64
        Flat indices, i width + j, rising.
    """
    dense = bound > DENSE
    span = -np.log1p(-np.where(dense, 0.0, bound))  # of one event
    edges = np.cumsum(span * width)
    end = float(edges[-1]) if len(edges) else 0.0
    points = np.cumsum(rng.standard_exponential(int(end + 6 * end**0.5) + 16))
    while points[-1] < end:
        more = rng.standard_exponential(len(points))
        points = np.concatenate([points, points[-1] + np.cumsum(more)])
    # The points rise: it is far faster to look up the edges among the points than the reverse.
    stops = np.searchsorted(points, edges)
    points = points[: stops[-1] if len(stops) else 0]
    line = np.repeat(np.arange(len(bound)), np.diff(stops, prepend=0))
    start, inverse = edges - span * width, 1 / np.where(span > 0, span, 1)
    place = ((points - start[line]) * inverse[line]).astype(np.int64)
    flat: np.ndarray = line * width + np.clip(place, 0, width - 1)  # rounding at a line's edges
    if len(flat):
        flat = flat[np.concatenate([[True], flat[1:] != flat[:-1]])]
    if dense.any():
        whole = (np.flatnonzero(dense)[:, None] * width + np.arange(width)).ravel()
        flat = np.sort(np.concatenate([flat, whole]))
    return flat


def draws(
    bound: np.ndarray, count: int, bits: int, rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """``count`` draws of each of n candidates, given that the least of them is below ``bound``.

    With b = bound / 2^bits, the j-th draw is the first below the bound with probability
    b (1 - b)^j / (1 - (1 - b)^count). The draws before it are at or above the bound; those after it
    are free.

    Parameters
    ----------
    bound : ndarray of shape (n,), integer in [1, 2^bits]
    count : int
        1 or 2.
    bits : int
        Width of a draw.

    Returns
    -------
    ndarray of shape (n, count), int64
        A draw at or above the bound is 2^bits - 1; if that is below the bound, some draw.
    """
    uniform = rng.random((count, len(bound)))
    scaled = uniform * bound
    found: np.ndarray
    if count == 1:
        found = scaled[0].astype(np.int64)[:, None]
        return found
    scale = float(1 << bits)
    b = bound / scale
    first = rng.random(len(bound)) * (2 - b) < 1  # b / (1 - (1 - b)^2)
    one = np.where(first, scaled[0], scale - 1)
    other = np.where(first, uniform[1] * scale, scaled[1])
    found = np.stack([one, other], axis=1).astype(np.int64)
    return found
