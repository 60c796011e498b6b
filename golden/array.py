"""The array interface, and the golden array behind it.

Whatever holds the synapses (numpy cells here, Verilated RTL in ``sim``, a board) is a
``SynapseArray``: batch at a time, on a range of columns. The base class checks every argument once.
"""

from abc import ABC, abstractmethod

import numpy as np

from golden import activity, cell, checks, lfsr, protocol
from golden.activity import Counters
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.protocol import Op
from golden.ptable import ProbabilityTable
from golden.reading import Reading


class SynapseArray(ABC):
    """An array of ``config.rows`` x ``config.cols`` synapses.

    A new array holds all cells in AP, of variant 0, inert: no table loaded, generators at the first
    streams of seed 0. Every method raises TypeError or ValueError, naming argument and value, for
    another shape or type or a value out of range; nothing is changed then.
    """

    def __init__(self, config: ArrayConfig):
        if not isinstance(config, ArrayConfig):
            raise TypeError(f"config must be an ArrayConfig, not {config!r}")
        self.config = config
        self.counters = Counters()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the cells: (cols, rows, cells)."""
        return self.config.cols, self.config.rows, self.config.cells

    def program(self, bits: np.ndarray, first: int = 0) -> None:
        """Write cell bits of shape (count, rows, cells), 1 = P, from column ``first`` on; stuck
        cells stay as they are."""
        bits = checks.integers("bits", bits, (None, *self.shape[1:]), 0, 1).astype(bool)
        first, _ = self._range(first, len(bits))
        self._program(bits, first)

    def load_variants(self, variants: np.ndarray, first: int = 0) -> None:
        """Give the cells from column ``first`` on their variants.

        Parameters
        ----------
        variants : ndarray of shape (count, rows, cells), integer of ``variant_bits`` bits
            Which of the table's ``variants`` each cell follows; a cell of the highest is stuck.
        first : int
        """
        if not self.config.variant_bits:
            raise ValueError("variant_bits must be at least 1 for cells to have variants, not 0")
        shape = (None, self.config.rows, self.config.cells)
        variants = checks.integers("variants", variants, shape, 0, self.config.variants - 1)
        first, _ = self._range(first, len(variants))
        self._load_variants(variants.astype(np.uint8), first)

    def read(self, first: int = 0, count: int | None = None) -> np.ndarray:
        """Cell bits of columns ``first`` ... ``first + count - 1``: (count, rows, cells), bool."""
        return self._read(*self._range(first, count))

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
        first, count = self._range(first, count, aligned=True)
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
        first, _ = self._range(first, d.shape[1], aligned=True)
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
        kappa, code = cell.check_pulses(self.config, kappa, code, (None, self.config.rows))
        first, _ = self._range(first, len(code))
        switched = self._update(kappa, code, first, bool(blind))
        self.counters.switched += switched
        return switched

    def load_table(self, table: ProbabilityTable) -> None:
        """Load the switching thresholds and pulse lengths. All variants get the ``thresholds`` of a
        table without ``variants``; those of stuck cells, the last, may be left out."""
        if not isinstance(table, ProbabilityTable):
            raise TypeError(f"table must be a ProbabilityTable, not {table!r}")
        have = (len(table.thresholds), table.draw_bits)
        want = (self.config.codes, self.config.draw_bits)
        if have != want:
            raise ValueError(f"table must have (codes, draw_bits) = {want}, not {have}")
        variants = table.variants
        if variants is None:
            variants = np.stack([table.thresholds] * self.config.switching_variants)
        variants = self._switching("table.variants", variants)
        ticks = np.concatenate([table.ticks] * len(variants))
        self._load_table(variants.reshape(-1, 2), ticks)

    def age(self, thresholds: np.ndarray, first: int = 0, count: int | None = None) -> int:
        """Let cells switch as reading or time makes them; every generator draws once a column.

        Parameters
        ----------
        thresholds : ndarray of shape (2,) or (variants, 2), integer in [0, 2^draw_bits]
            A cell in AP (in P) switches iff its draw is below column ``AP_TO_P`` (``P_TO_AP``) of
            its variant's row. The row of stuck cells, the last, may be left out.
        first, count : int
            Columns; all by default.

        Returns
        -------
        int
            Number of cells that switched.
        """
        variants = self.config.switching_variants
        rows = np.stack([thresholds] * variants) if np.ndim(thresholds) == 1 else thresholds
        rows = checks.integers("thresholds", rows, (None, 2), 0, 1 << self.config.draw_bits)
        rows = self._switching("thresholds", rows).astype(np.int64)
        first, count = self._range(first, count)
        self._load_ageing(rows)
        return self._age(first, count)

    def activity(self) -> dict[str, int]:
        """What the cells have been through, by the names of ``golden.activity.COUNTERS``."""
        if not self.config.counters:
            raise ValueError("counters must be True for an array to have any, not False")
        return self._activity()

    def seed(self, seed: int, first_stream: int = 0) -> None:
        """Give the generators the streams ``first_stream`` ... of ``seed``, one each."""
        states = lfsr.stream_states(seed, first_stream, self.config.rows * self.config.cells)
        self.set_generators(states.reshape(self.shape[1:]))

    def set_generators(self, states: np.ndarray) -> None:
        """Set the generators' states, uint64 of shape (rows, cells), none zero."""
        states = checks.integers("states", states, self.shape[1:], 1, (1 << 64) - 1)
        self._set_generators(states.astype(np.uint64))

    def generators(self) -> np.ndarray:
        """The generators' states, uint64 of shape (rows, cells)."""
        return self._generators()

    def state(self) -> dict[str, np.ndarray]:
        """Cells and generators, all that commands change but counters, for ``set_state``."""
        return {"cells": self.read(), "generators": self.generators()}

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        """Raise KeyError, TypeError or ValueError if a ``state`` does not fit."""
        checks.integers("cells", state["cells"], self.shape, 0, 1)
        checks.integers("generators", state["generators"], self.shape[1:], 1, (1 << 64) - 1)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a ``state``; raises as ``check_state``, and changes nothing then."""
        self.check_state(state)
        self.program(state["cells"])
        self.set_generators(state["generators"])

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare all state with whatever else holds it; most arrays have no other."""

    def _range(self, first: int, count: int | None, *, aligned: bool = False) -> tuple[int, int]:
        """``first`` and ``count`` of columns, checked."""
        cols, unit = self.config.cols, self.config.columns_per_cycle if aligned else 1
        first = checks.integer("first", first, 0, cols - 1)
        count = checks.integer("count", cols - first if count is None else count, 1, cols - first)
        if first % unit or count % unit:
            raise ValueError(
                f"first and count must be multiples of columns_per_cycle = {unit}, "
                f"not {first} and {count}"
            )
        return first, count

    def _switching(self, name: str, values: np.ndarray) -> np.ndarray:
        """``values`` of all variants, or of all that switch, without the others'."""
        least, most = self.config.switching_variants, self.config.variants
        if not least <= len(values) <= most:
            wanted = f"{least} or {most}" if least < most else f"{most}"
            raise ValueError(f"{name} must have {wanted} variants, not {len(values)}")
        return values[:least]

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
    def _load_table(self, thresholds: np.ndarray, ticks: np.ndarray) -> None: ...
    @abstractmethod
    def _load_ageing(self, thresholds: np.ndarray) -> None: ...
    @abstractmethod
    def _load_variants(self, variants: np.ndarray, first: int) -> None: ...
    @abstractmethod
    def _age(self, first: int, count: int) -> int: ...
    @abstractmethod
    def _activity(self) -> dict[str, int]: ...
    @abstractmethod
    def _set_generators(self, states: np.ndarray) -> None: ...
    @abstractmethod
    def _generators(self) -> np.ndarray: ...


class GoldenArray(SynapseArray):
    """Numpy cells. Counts the cycles that the hardware would take, by its formula.

    Attributes
    ----------
    reading : golden.reading.Reading or None
        Makes the sums where they are analog; exact by default.
    """

    def __init__(self, config: ArrayConfig):
        super().__init__(config)
        self.reading: Reading | None = None
        self._bits = np.zeros(self.shape, bool)
        # Sums of integers below 2^24 are exact in float32, and BLAS adds those alone.
        largest = max(config.rows, config.cols << (config.error_bits - 1))
        self._float = np.dtype(np.float32 if largest < 1 << 24 else np.float64)
        self._weights = cell_weights(self._bits).astype(self._float)  # (cols, rows)
        self._variants = np.zeros(self.shape, np.uint8)
        self._table = np.zeros((config.variants * config.codes, 2), np.int64)
        self._ageing = np.zeros((config.variants, 2), np.int64)
        self._ticks = np.zeros((config.codes, 2), np.int64)
        self._activity_counts = activity.Activity()
        self._lines: dict[tuple[int, int, int], np.ndarray] = {}
        states = lfsr.stream_states(0, 0, config.rows * config.cells)
        self._streams = lfsr.Streams(states.reshape(self.shape[1:]), config.draw_bits)

    def _tick(self, op: Op, count: int = 0, batch: int = 1) -> None:
        self.counters.cycles += protocol.cycles(op, self.config, count, batch)

    def _program(self, bits: np.ndarray, first: int) -> None:
        columns = slice(first, first + len(bits))
        if self.config.variant_bits:
            stuck = self._variants[columns] == self.config.variants - 1
            bits = np.where(stuck, self._bits[columns], bits)
        self._bits[columns] = bits
        self._weights[columns] = cell_weights(bits)
        self._lines.clear()
        self._tick(Op.PROGRAM, len(bits))
        self._activity_counts.add(columns_programmed=len(bits))

    def _read(self, first: int, count: int) -> np.ndarray:
        self._tick(Op.READ, count)
        self._activity_counts.add(columns_read=count)
        return self._bits[first : first + count].copy()

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        self._tick(Op.FORWARD, count, len(u))
        self._count_read("forward", u, first, count)
        if self.reading:
            return self.reading.forward(self._bits[first : first + count], u, first)
        return (u.astype(self._float) @ self._weights[first : first + count].T).astype(np.int32)

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        count = d.shape[1]
        self._tick(Op.BACKWARD, count, len(d))
        self._count_read("backward", d, first, count)
        if self.reading:
            return self.reading.backward(self._bits[first : first + count], d, first)
        return (d.astype(self._float) @ self._weights[first : first + count]).astype(np.int32)

    def _count_read(self, direction: str, drives: np.ndarray, first: int, count: int) -> None:
        """Count a read by drives of shape (batch, rows), or (batch, count) backward."""
        axis, config = int(direction == "backward"), self.config
        if not config.counters:
            return
        lines = self._lines.get((axis, first, count))
        if lines is None:
            columns = slice(first, first + count)
            in_p = activity.ones(self._bits[columns].reshape(count, -1), axis)
            if not axis:
                in_p = in_p.reshape(config.rows, config.cells).sum(axis=1)
            lines = np.stack([activity.ones(self._weights[columns] != 0, axis), in_p])
            if len(self._lines) > 64:  # cells that never change are read in ever other ranges
                self._lines.clear()
            self._lines[axis, first, count] = lines
        across = config.rows if axis else count  # converters, and synapses on each line
        self._activity_counts.read(
            direction,
            activity.ones(drives != 0, 0),
            lines,
            cells=across * config.cells,
            conversions=len(drives) * across,
        )

    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int:
        config, counts, count = self.config, self._activity_counts, len(code)
        self._tick(Op.UPDATE, count)
        columns = slice(first, first + count)
        # One axis of synapses: far faster than two.
        kappa, code, weights = kappa.ravel(), code.ravel(), self._weights[columns].reshape(-1)
        bits = self._bits[columns].reshape(-1, config.cells)
        if config.counters:
            counts.pulses(bits, kappa, code, self._ticks, blind)
        counts.add(columns_updated=count)
        thresholds = self._table.reshape(config.variants, config.codes, 2)
        draws = self._streams.draw(count).reshape(-1, config.cells)
        at = np.flatnonzero(cell.within_reach(kappa, code, draws, thresholds))
        pulses = cell.pulses(bits[at], kappa[at], code[at], config.codes - 1, blind=blind)
        variants = None
        if config.variant_bits:
            variants = self._variants[columns].reshape(-1, config.cells)[at]
        hits = cell.switch(pulses, draws[at], thresholds, variants)
        counts.switched(pulses.code, hits, self._ticks)
        bits[at] ^= cell.flips(hits, pulses.up, config.cells)
        weights[at] = cell_weights(bits[at])
        self._lines.clear()
        return int(np.count_nonzero(hits))

    def _load_table(self, thresholds: np.ndarray, ticks: np.ndarray) -> None:
        self._tick(Op.LOAD_TABLE, len(thresholds))
        self._table[: len(thresholds)] = thresholds  # stuck cells never reach theirs
        self._ticks[:] = ticks[: self.config.codes]

    def _load_ageing(self, thresholds: np.ndarray) -> None:
        self._tick(Op.LOAD_TABLE, thresholds.size)
        self._ageing[: len(thresholds)] = thresholds

    def _load_variants(self, variants: np.ndarray, first: int) -> None:
        self._tick(Op.VARIANTS, len(variants))
        self._variants[first : first + len(variants)] = variants

    def _age(self, first: int, count: int) -> int:
        self._tick(Op.AGE, count)
        columns = slice(first, first + count)
        bits, variants = self._bits[columns], self._variants[columns]
        thresholds = self._ageing
        # A cell in AP, 0, can only go to P, and the reverse: its state is the direction.
        flips = self._streams.draw(count) < thresholds[variants, bits.view(np.uint8)]
        bits ^= flips
        self._weights[columns] = cell_weights(bits)
        self._lines.clear()
        switched = int(np.count_nonzero(flips))
        self._activity_counts.add(columns_aged=count, cells_aged=switched)
        return switched

    def _activity(self) -> dict[str, int]:
        self._tick(Op.COUNTERS)
        return self._activity_counts.counts()

    def _set_generators(self, states: np.ndarray) -> None:
        self._tick(Op.SEED)
        self._streams = lfsr.Streams(states, self.config.draw_bits)

    def _generators(self) -> np.ndarray:
        # Told by drawing, and put back.
        self._tick(Op.GENERATORS)
        self._tick(Op.SEED)
        return self._streams.states
