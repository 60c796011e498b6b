"""How often the cells of a matrix are read, wherever it lies in arrays."""

from typing import Any

import numpy as np

from golden.array.activity import bits_set
from golden.array.frames import Op
from golden.config import ArrayConfig


class Reads:
    """Reads of a matrix's cells since the last ``take``.

    A cell is read when its row is driven in FORWARD, once a plane of trits, or its column in
    BACKWARD, once for each bit that is set in the error's magnitude (on average, see
    ``golden.array.activity.bits_set``). Rows and columns that the matrix leaves unused in its
    arrays, and other matrices beside it, count for nothing.

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

    def count(self, op: Op, drives: Any) -> None:
        """Count a read by ``drives``: whole numbers, inputs (batch, n_in) of a FORWARD, errors
        (batch, n_out) of a BACKWARD."""
        if op is Op.FORWARD:
            # Planes hold the bits of the magnitude.
            self.add(rows=int(np.bitwise_count(np.abs(drives).astype(np.uint8)).sum()))
        else:
            self.add(columns=int(np.count_nonzero(drives)))

    def take(self) -> float:
        """Reads of a cell, mean over the matrix, since the last ``take``."""
        reads = self._rows / self._n_in + self._columns * self._bits / self._n_out
        self._rows = self._columns = 0.0
        return reads
