"""The array interface, and the golden array behind it.

Whatever holds the synapses (numpy cells here, Verilated RTL in ``sim``, a board) is a
``SynapseArray``: batch at a time, on a range of columns. The trainer knows nothing else. The base
class checks every argument once; a subclass only does the work.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from golden import cell, checks, lfsr, protocol, trit
from golden.config import ArrayConfig
from golden.protocol import Op
from golden.ptable import ProbabilityTable


@dataclass
class Counters:
    """What an array has done since it was made.

    ``cycles``: clock cycles of all commands, stalls apart. ``switched``: cells that changed state
    in updates.
    """

    cycles: int = 0
    switched: int = 0


def check_pulses(
    config: ArrayConfig, kappa: np.ndarray, code: np.ndarray, shape: tuple[int | None, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """``kappa`` and ``code`` of an update as int8 and int16, of ``shape``, checked."""
    limit = config.max_kappa
    kappa = checks.integers("kappa", kappa, shape, -limit, limit).astype(np.int8)
    limit = config.codes - 1
    code = checks.integers("code", code, kappa.shape, -limit, limit).astype(np.int16)
    opposed = kappa * code < 0
    if opposed.any():
        index = np.unravel_index(int(np.argmax(opposed)), opposed.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(
            f"code[{where}] must not be of the other sign than kappa = {kappa[index]}, "
            f"not {code[index]}"
        )
    return kappa, code


class SynapseArray(ABC):
    """An array of ``config.rows`` x ``config.cols`` synapses.

    A new array holds all cells in AP, inert: no table loaded, generators at the first streams of
    seed 0. Every method raises TypeError or ValueError, naming argument and value, for another
    shape or type or a value out of range; nothing is changed then.
    """

    def __init__(self, config: ArrayConfig):
        if not isinstance(config, ArrayConfig):
            raise TypeError(f"config must be an ArrayConfig, not {config!r}")
        self.config = config
        self.counters = Counters()

    def program(self, bits: np.ndarray, first: int = 0) -> None:
        """Write cell bits of shape (count, rows, cells), 1 = P, from column ``first`` on."""
        shape = (None, self.config.rows, self.config.cells)
        bits = checks.integers("bits", bits, shape, 0, 1).astype(bool)
        self._range(first, len(bits))
        self._program(bits, first)

    def read(self, first: int = 0, count: int | None = None) -> np.ndarray:
        """Cell bits of columns ``first`` ... ``first + count - 1``: (count, rows, cells), bool."""
        return self._read(first, self._range(first, count))

    def forward(self, u: np.ndarray, first: int = 0, count: int | None = None) -> np.ndarray:
        """Column sums s_i = sum_j w_ij u_j.

        Parameters
        ----------
        u : ndarray of shape (batch, rows), integer in {-1, 0, 1}; batch >= 1
        first, count : int
            Columns, multiples of ``columns_per_cycle``; all by default.

        Returns
        -------
        ndarray of shape (batch, count), int32
        """
        u = checks.integers("u", u, (None, self.config.rows), -1, 1)
        checks.integer("batch", len(u), 1)
        count = self._range(first, count, aligned=True)
        return self._forward(u.astype(np.int8), first, count)

    def backward(self, d: np.ndarray, first: int = 0) -> np.ndarray:
        """Row sums e_j = sum_i w_ij d_i over the columns from ``first`` on.

        Parameters
        ----------
        d : ndarray of shape (batch, count), integer of ``error_bits`` signed bits; batch >= 1
        first : int
            First column; like ``count`` a multiple of ``columns_per_cycle``.

        Returns
        -------
        ndarray of shape (batch, rows), int32
        """
        limit = self.config.max_error
        d = checks.integers("d", d, (None, None), -limit - 1, limit)
        checks.integer("batch", len(d), 1)
        self._range(first, d.shape[1], aligned=True)
        return self._backward(d.astype(np.int32), first)

    def update(
        self, kappa: np.ndarray, code: np.ndarray, first: int = 0, *, blind: bool = False
    ) -> int:
        """Pulse the columns from ``first`` on, one after the other; every generator draws once a
        column.

        Parameters
        ----------
        kappa : ndarray of shape (count, rows), signed integer
            Whole steps, magnitude at most 2 / dz.
        code : ndarray of shape (count, rows), signed integer
            Pulse code, magnitude below 2^code_bits; not of the other sign than ``kappa``.
        blind : bool
            The blind rule instead of the exact one (see ``golden.cell``).

        Returns
        -------
        int
            Number of cells that switched.
        """
        kappa, code = check_pulses(self.config, kappa, code, (None, self.config.rows))
        self._range(first, len(code))
        switched = self._update(kappa, code, first, bool(blind))
        self.counters.switched += switched
        return switched

    def load_table(self, table: ProbabilityTable) -> None:
        """Load the switching thresholds, one row a code."""
        if not isinstance(table, ProbabilityTable):
            raise TypeError(f"table must be a ProbabilityTable, not {table!r}")
        have = (len(table.thresholds), table.draw_bits)
        want = (self.config.codes, self.config.draw_bits)
        if have != want:
            raise ValueError(f"table must have (codes, draw_bits) = {want}, not {have}")
        self._load_table(table)

    def seed(self, seed: int, first_stream: int = 0) -> None:
        """Give the generators the streams ``first_stream`` ... of ``seed``, one each."""
        count = self.config.rows * self.config.cells
        states = lfsr.stream_states(seed, first_stream, count)
        self.set_generators(states.reshape(self.config.rows, self.config.cells))

    def set_generators(self, states: np.ndarray) -> None:
        """Set the generators' states, uint64 of shape (rows, cells), none zero."""
        shape = (self.config.rows, self.config.cells)
        self._set_generators(
            checks.integers("states", states, shape, 1, (1 << 64) - 1).astype(np.uint64)
        )

    def generators(self) -> np.ndarray:
        """The generators' states, uint64 of shape (rows, cells)."""
        return self._generators()

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare all state with whatever else holds it; most arrays have no other."""

    def _range(self, first: int, count: int | None, *, aligned: bool = False) -> int:
        cols, unit = self.config.cols, self.config.columns_per_cycle if aligned else 1
        first = checks.integer("first", first, 0, cols - 1)
        count = checks.integer("count", cols - first if count is None else count, 1, cols - first)
        if first % unit or count % unit:
            raise ValueError(
                f"first and count must be multiples of columns_per_cycle = {unit}, "
                f"not {first} and {count}"
            )
        return count

    @abstractmethod
    def _program(self, bits: np.ndarray, first: int) -> None: ...
    @abstractmethod
    def _read(self, first: int, count: int) -> np.ndarray: ...
    @abstractmethod
    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray: ...
    @abstractmethod
    def _backward(self, d: np.ndarray, first: int) -> np.ndarray: ...
    @abstractmethod
    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int: ...
    @abstractmethod
    def _load_table(self, table: ProbabilityTable) -> None: ...
    @abstractmethod
    def _set_generators(self, states: np.ndarray) -> None: ...
    @abstractmethod
    def _generators(self) -> np.ndarray: ...


class GoldenArray(SynapseArray):
    """Numpy cells. Counts the cycles that the hardware would take, by its formula."""

    def __init__(self, config: ArrayConfig):
        super().__init__(config)
        shape = (config.cols, config.rows, config.cells)
        self._bits = np.zeros(shape, bool)
        # Sums of integers below 2^24 are exact in float32, and BLAS adds those alone.
        largest = max(config.rows, config.cols << (config.error_bits - 1))
        self._float = np.dtype(np.float32 if largest < 1 << 24 else np.float64)
        self._weights = trit.weights(self._bits).astype(self._float)  # (cols, rows)
        self._table: ProbabilityTable | None = None
        states = lfsr.stream_states(0, 0, config.rows * config.cells)
        self._streams = lfsr.Streams(states.reshape(shape[1:]), config.draw_bits)

    def _tick(self, op: Op, count: int = 0, batch: int = 1) -> None:
        self.counters.cycles += protocol.cycles(op, self.config, count, batch)

    def _program(self, bits: np.ndarray, first: int) -> None:
        columns = slice(first, first + len(bits))
        self._bits[columns] = bits
        self._weights[columns] = trit.weights(bits)
        self._tick(Op.PROGRAM, len(bits))

    def _read(self, first: int, count: int) -> np.ndarray:
        self._tick(Op.READ, count)
        return self._bits[first : first + count].copy()

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        self._tick(Op.FORWARD, count, len(u))
        return (u.astype(self._float) @ self._weights[first : first + count].T).astype(np.int32)

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        count = d.shape[1]
        self._tick(Op.BACKWARD, count, len(d))
        return (d.astype(self._float) @ self._weights[first : first + count]).astype(np.int32)

    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int:
        self._tick(Op.UPDATE, len(code))
        draws = self._streams.draw(len(code))
        if self._table is None:
            return 0
        columns = slice(first, first + len(code))
        bits, weights = self._bits[columns], self._weights[columns]
        at = np.nonzero(cell.within_reach(kappa, code, draws, self._table))
        flips = cell.switch(bits[at], kappa[at], code[at], draws[at], self._table, blind=blind)
        bits[at] ^= flips
        weights[at] = trit.weights(bits[at])
        return int(np.count_nonzero(flips))

    def _load_table(self, table: ProbabilityTable) -> None:
        self._tick(Op.LOAD_TABLE, self.config.codes)
        self._table = table

    def _set_generators(self, states: np.ndarray) -> None:
        self._tick(Op.SEED)
        self._streams = lfsr.Streams(states, self.config.draw_bits)

    def _generators(self) -> np.ndarray:
        self._tick(Op.GENERATORS)
        return self._streams.states
