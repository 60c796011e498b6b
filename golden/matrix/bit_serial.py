"""Inputs of several bits, given to an array as vectors of trits one after the other."""

from collections.abc import Iterator

import numpy as np


def trit_vectors(u: np.ndarray, limit: int) -> Iterator[tuple[int, np.ndarray]]:
    """Weights 2^k and trits t_k, int8, with u = sum_k 2^k t_k: signs times bits of the magnitude.

    Parameters
    ----------
    u : ndarray of any shape, integer in [-limit, limit]
    limit : int
        2^bits - 1, with as many planes as bits.
    """
    if limit == 1:
        yield 1, u
        return
    u = u.astype(np.int16)
    sign, size = np.sign(u), np.abs(u)
    for bit in range(limit.bit_length()):
        yield 1 << bit, (sign * (size >> bit & 1)).astype(np.int8)
