"""Bit-serial inputs: several bits as vectors of trits, read one after the other."""

from collections.abc import Iterator

import numpy as np


def trit_vectors(u: np.ndarray, limit: int) -> Iterator[tuple[int, np.ndarray]]:
    """Vectors of trits t_k with u = sum_k 2^k t_k: the sign times bit k of the magnitude.

    Parameters
    ----------
    u : ndarray of any shape, integer in [-limit, limit]
    limit : int
        2^bits - 1; there are as many vectors as bits.

    Yields
    ------
    weight : int
        2^k.
    trits : ndarray, int8
        t_k, of the shape of ``u``.
    """
    if limit == 1:
        yield 1, u
        return
    u = u.astype(np.int16)
    sign, size = np.sign(u), np.abs(u)
    for bit in range(limit.bit_length()):
        yield 1 << bit, (sign * (size >> bit & 1)).astype(np.int8)
