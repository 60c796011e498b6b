"""Counts of the reads of a matrix's cells."""

import numpy as np

from golden.array.activity import bits_set
from golden.array.frames import Op
from golden.backend import Tensor
from golden.config import ArrayConfig


class Reads:
    """Reads of a matrix's cells since the last ``take``.

    FORWARD reads a cell once for each vector of trits that drives its row. BACKWARD reads it once
    for each bit that is set in the magnitude of its column's error; their mean number is used (see
    ``golden.array.activity.bits_set``). Unused rows and columns of the arrays and other matrices in
    them do not count.

    Parameters
    ----------
    n_in, n_out : int
        Size of the matrix.
    config : ArrayConfig
    """

    def __init__(self, n_in: int, n_out: int, config: ArrayConfig):
        self._n_in, self._n_out, self._bits = n_in, n_out, bits_set(config)
        self._rows = self._columns = 0.0

    def add(self, rows: float = 0, columns: float = 0) -> None:
        """Count drives of single rows and of single columns."""
        self._rows += rows
        self._columns += columns

    def count(self, op: Op, drives: Tensor) -> None:
        """Count a read by ``drives``, whole numbers: inputs (batch, n_in) in FORWARD, errors
        (batch, n_out) in BACKWARD."""
        if op is Op.FORWARD:
            # The vectors of trits hold the bits of the magnitude.
            self.add(rows=int(np.bitwise_count(np.abs(drives).astype(np.uint8)).sum()))
        else:
            self.add(columns=int(np.count_nonzero(drives)))

    def take(self) -> float:
        """Mean number of reads of a cell since the last ``take``."""
        reads = self._rows / self._n_in + self._columns * self._bits / self._n_out
        self._rows = self._columns = 0.0
        return reads
