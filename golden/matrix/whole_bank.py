"""Whole matrices as a bank, see ``golden.matrix.whole``."""

from collections.abc import Callable

import numpy as np

from golden.array.protocols import CellArray
from golden.backend import NUMPY, Backend
from golden.config import ArrayConfig
from golden.matrix.tiled import ColumnBank
from golden.matrix.whole import WholeMatrix
from golden.pulse.table import ProbabilityTable

_COUNT_EVERY = 50  # batches


class WholeBank(ColumnBank):
    """Whole matrices; the parameters are those of ``golden.matrix.tiled.ArrayBank``.

    Attributes
    ----------
    arrays : list of WholeMatrix
        In the order in which they were made.
    rng : numpy.random.Generator
        Generator of the draws.
    """

    def __init__(
        self,
        config: ArrayConfig,
        table: ProbabilityTable,
        seed: int,
        equip: Callable[[CellArray, int], None] | None = None,
        backend: Backend = NUMPY,
    ):
        super().__init__(config, table, seed)
        self.arrays: list[WholeMatrix] = []
        self._equip = equip
        self.rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(3,)))
        self.backend = backend

    @property
    def matrices(self) -> list[WholeMatrix]:
        """Each matrix is an array of its own."""
        return self.arrays

    def matrix(self, name: str, n_in: int, n_out: int) -> WholeMatrix:
        """A new matrix of ``n_in`` x ``n_out`` synapses; raises as ``ArrayBank.matrix``."""
        places = list(self.places(n_in, n_out))
        matrix = WholeMatrix(name, places, self.config, self.rng, self.backend)
        matrix.load_table(self.table)
        if self._equip:
            self._equip(matrix, len(self.arrays))
        self.arrays.append(matrix)
        return matrix

    def count(self, on: bool) -> None:
        """Switch the counting of reads and pulses on or off; the counts are kept."""
        for matrix in self.arrays:
            matrix.estimate.on = on

    def counting(self, batch: int) -> bool:
        """Count one batch in 50, which stands for all: counting takes as long as the work."""
        on = batch % _COUNT_EVERY == 1
        self.count(on and self.config.counters)
        return on

    def cycles(self) -> int:
        """Clock cycles of the same work on arrays."""
        return sum(matrix.counters.cycles for matrix in self.arrays)

    def used(self, number: int) -> int:
        """Columns of matrix ``number``."""
        return self.arrays[number].n_out
