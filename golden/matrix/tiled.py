"""A weight matrix of any size, tiled over arrays of one size.

Rows beyond an array's go to further tiles, whose sums the host adds. Columns take the free columns
of arrays. Unused rows get zeros and no pulses.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from golden import checks
from golden.array.cell import check_pulses
from golden.array.frames import Op
from golden.array.interface import SynapseArray
from golden.array.lockstep import Mismatch
from golden.array.protocols import CellArray
from golden.backend import NUMPY, Backend
from golden.config import ArrayConfig
from golden.matrix.bit_serial import trit_vectors
from golden.matrix.reads import Reads
from golden.pulse.coder import encode
from golden.pulse.table import GXNOR_M, ProbabilityTable


@dataclass(frozen=True)
class Tile:
    """Part of a matrix in an array.

    Parameters
    ----------
    array : SynapseArray
    first, width : int
        Columns of the array; ``width`` is ``cols`` rounded up to whole converter groups.
    row, rows, col, cols : int
        Rows and columns of the matrix.
    """

    array: SynapseArray
    first: int
    width: int
    row: int
    rows: int
    col: int
    cols: int


class SynapseMatrix:
    """An (n_in, n_out) matrix of synapses with the array's operations.

    Shapes are those of ``SynapseArray`` with rows = n_in and cols = n_out; arguments are checked
    there. If a lock-step array raises Mismatch, its indices become those of this matrix.

    Attributes
    ----------
    reads : golden.matrix.reads.Reads or None
        Counter of the reads of its cells, if any.
    """

    def __init__(self, name: str, tiles: list[Tile], config: ArrayConfig):
        self.name, self.tiles, self.config = name, tiles, config
        self.reads: Reads | None = None
        self.n_in = max(tile.row + tile.rows for tile in tiles)
        self.n_out = max(tile.col + tile.cols for tile in tiles)

    def program(self, bits: np.ndarray) -> None:
        """Write cell bits of shape (n_out, n_in, cells)."""
        shape = (self.n_out, self.n_in, self.config.cells)
        bits = checks.integers("bits", bits, shape, 0, 1)
        for tile in self.tiles:
            part = bits[tile.col : tile.col + tile.cols, tile.row : tile.row + tile.rows]
            with self._placed(tile):
                tile.array.program(self._padded(part, tile.width, self.config.rows), tile.first)

    def read(self) -> np.ndarray:
        """Cell bits, (n_out, n_in, cells), bool."""
        bits = np.empty((self.n_out, self.n_in, self.config.cells), bool)
        for tile in self.tiles:
            with self._placed(tile):
                part = tile.array.read(tile.first, tile.cols)
            columns = slice(tile.col, tile.col + tile.cols)
            bits[columns, tile.row : tile.row + tile.rows] = part[:, : tile.rows]
        return bits

    def forward(self, u: np.ndarray, limit: int = 1) -> np.ndarray:
        """Sums (batch, n_out), int32, of integers u (batch, n_in) in [-limit, limit].

        The limit is 2^bits - 1: 1 for trits. Inputs are read as ``bits`` vectors of trits (see
        ``golden.matrix.bit_serial``).
        """
        limit = checks.integer("limit", limit, 1, 127)
        u = checks.integers("u", u, (None, self.n_in), -limit, limit)
        if self.reads:
            self.reads.count(Op.FORWARD, u)
        s = np.zeros((len(u), self.n_out), np.int32)
        for weight, trits in trit_vectors(u, limit):
            for tile in self.tiles:
                part = trits[:, tile.row : tile.row + tile.rows]
                part = self._padded(part, None, self.config.rows)
                with self._placed(tile):
                    sums = tile.array.forward(part, tile.first, tile.width)
                s[:, tile.col : tile.col + tile.cols] += weight * sums[:, : tile.cols]
        return s

    def backward(self, d: np.ndarray) -> np.ndarray:
        """Errors (batch, n_in), int32, of errors d (batch, n_out)."""
        limit = self.config.max_error
        d = checks.integers("d", d, (None, self.n_out), -limit - 1, limit)
        if self.reads:
            self.reads.count(Op.BACKWARD, d)
        e = np.zeros((len(d), self.n_in), np.int32)
        for tile in self.tiles:
            part = self._padded(d[:, tile.col : tile.col + tile.cols], None, tile.width)
            with self._placed(tile):
                sums = tile.array.backward(part, tile.first)
            e[:, tile.row : tile.row + tile.rows] += sums[:, : tile.rows]
        return e

    def update(self, kappa: np.ndarray, code: np.ndarray, *, blind: bool = False) -> int:
        """Pulse every synapse; kappa and code of shape (n_out, n_in). Returns cells switched."""
        kappa, code = check_pulses(self.config, kappa, code, (self.n_out, self.n_in))
        switched = 0
        for tile in self.tiles:
            part = np.s_[tile.col : tile.col + tile.cols, tile.row : tile.row + tile.rows]
            pulses = [self._padded(x[part], None, self.config.rows) for x in (kappa, code)]
            with self._placed(tile):
                switched += tile.array.update(pulses[0], pulses[1], tile.first, blind=blind)
        return switched

    def change(
        self,
        change: np.ndarray,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        sparse: bool = False,
    ) -> int:
        """Code real-valued weight changes (n_out, n_in) and pulse. Returns the cells switched.

        See ``golden.pulse.coder.encode``. ``sparse`` has no effect here.
        """
        kappa, code = encode(change, table, self.config, rng, steepness)
        return self.update(kappa, code, blind=blind)

    def age(self, thresholds: np.ndarray) -> int:
        """Switch cells at random, the effect of reading or time. Returns the cells switched.

        Thresholds are those of ``golden.array.golden.SynapseArray.age``.
        """
        switched = 0
        for tile in self.tiles:
            with self._placed(tile):
                switched += tile.array.age(thresholds, tile.first, tile.cols)
        return switched

    @staticmethod
    def _padded(part: np.ndarray, first: int | None, second: int) -> np.ndarray:
        """``part`` with its first two axes padded with zeros to the lengths given."""
        shape = (first or part.shape[0], second, *part.shape[2:])
        if part.shape == shape:
            return part
        full = np.zeros(shape, part.dtype)
        full[: part.shape[0], : part.shape[1]] = part
        return full

    @contextmanager
    def _placed(self, tile: Tile) -> Iterator[None]:
        try:
            yield
        except Mismatch as mismatch:
            raise mismatch.within(self.name, tile.row, tile.col - tile.first) from None


def columns_taken(sizes: Iterable[tuple[int, int]], array: ArrayConfig) -> int:
    """Columns that matrices of ``sizes`` (n_in, n_out) take in a single array of any length."""
    unit = array.columns_per_cycle
    return sum(-(-n_in // array.rows) * -(-n_out // unit) * unit for n_in, n_out in sizes)


class ColumnBank:
    """Columns of arrays of one size, given to matrices one after the other.

    Parameters
    ----------
    config : ArrayConfig
        Size of each array.
    table : ProbabilityTable
        Table of each array.
    seed : int
        Seed of the generators.

    Attributes
    ----------
    size : int
        Number of arrays in use.
    """

    def __init__(self, config: ArrayConfig, table: ProbabilityTable, seed: int):
        self.config, self.table = config, table
        self.size = 0
        self._seed = checks.integer("seed", seed, 0)
        self._free = 0  # columns left in the last array

    def places(self, n_in: int, n_out: int) -> Iterator[tuple[int, ...]]:
        """Take columns for a matrix. Yields for each part the array's number, then the numbers of
        ``Tile``: first, width, row, rows, col, cols."""
        n_in = checks.integer("n_in", n_in, 1)
        n_out = checks.integer("n_out", n_out, 1)
        unit = self.config.columns_per_cycle
        for row in range(0, n_in, self.config.rows):
            col = 0
            while col < n_out:
                if not self._free:
                    self._add()
                    self.size += 1
                    self._free = self.config.cols
                cols = min(n_out - col, self._free)
                width = -(-cols // unit) * unit
                first = self.config.cols - self._free
                rows = min(n_in - row, self.config.rows)
                yield self.size - 1, first, width, row, rows, col, cols
                self._free -= width
                col += cols

    def _add(self) -> None:
        """Make one more array; by default there is none to make."""


class ArrayBank(ColumnBank):
    """Arrays of one size, made when matrices need columns.

    Array k gets the generator streams from number k * rows * cells on, so that no two arrays share
    a stream.

    Parameters
    ----------
    make : callable
        ``make(config)`` returns a new SynapseArray.
    config : ArrayConfig
        Size of each array.
    table : ProbabilityTable
        Table of each array.
    seed : int
        Seed of the generators.
    equip : callable, optional
        Called with each new array and its number, before it is used.

    Attributes
    ----------
    arrays, matrices : list
        In the order in which they were made.
    size : int
        Number of arrays.
    """

    def __init__(
        self,
        make: Callable[[ArrayConfig], SynapseArray],
        config: ArrayConfig,
        table: ProbabilityTable,
        seed: int,
        equip: Callable[[CellArray, int], None] | None = None,
    ):
        super().__init__(config, table, seed)
        self.backend: Backend = NUMPY
        self.arrays: list[SynapseArray] = []
        self.matrices: list[SynapseMatrix] = []
        self._make, self._equip = make, equip

    def matrix(self, name: str, n_in: int, n_out: int) -> SynapseMatrix:
        """A new matrix of ``n_in`` x ``n_out`` synapses.

        Raises
        ------
        TypeError, ValueError
            If a size is not a positive integer.
        """
        tiles = [Tile(self.arrays[number], *place) for number, *place in self.places(n_in, n_out)]
        self.matrices.append(SynapseMatrix(name, tiles, self.config))
        return self.matrices[-1]

    def cycles(self) -> int:
        """Clock cycles of all arrays' commands."""
        return sum(array.counters.cycles for array in self.arrays)

    def counting(self, batch: int) -> bool:
        """Arrays count everything."""
        return True

    def used(self, number: int) -> int:
        """Columns of array ``number`` that belong to a matrix, from the first on."""
        last = number == len(self.arrays) - 1
        return self.config.cols - (self._free if last else 0)

    def _add(self) -> None:
        array = self._make(self.config)
        array.load_table(self.table)
        array.seed(self._seed, len(self.arrays) * self.config.rows * self.config.cells)
        if self._equip:
            self._equip(array, len(self.arrays))
        self.arrays.append(array)
