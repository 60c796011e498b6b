"""The interface of every array of synapses.

Numpy cells, Verilated RTL and a board are each a ``SynapseArray``; the trainer uses this interface
alone. A call takes a whole batch and a range of columns. The base class checks every argument once;
a subclass only does the work.
"""

from abc import ABC, abstractmethod

import numpy as np

from golden import checks
from golden.array import cell, lfsr
from golden.array.activity import Counters
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable


class SynapseArray(ABC):
    """An array of ``config.rows`` x ``config.cols`` synapses.

    In a new array all cells are in AP and of variant 0, the generators have the first streams of
    seed 0, and no table is loaded, so that no cell can switch. Every method raises TypeError or
    ValueError for a wrong shape or type or a value out of range; the message names argument and
    value, and nothing is changed then.
    """

    def __init__(self, config: ArrayConfig):
        if not isinstance(config, ArrayConfig):
            raise TypeError(f"config must be an ArrayConfig, not {config!r}")
        self.config = config
        self.counters = Counters()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the cells: (cols, rows, cells)."""
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
            Index in the table's ``variants`` for each cell; cells of the highest are stuck.
        first : int
            First column.
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
            The blind rule instead of the exact one (see ``golden.array.cell``).

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
        """Load the switching thresholds and pulse lengths.

        If the table has no ``variants``, all variants get its ``thresholds``. The last variant,
        that of stuck cells, may be left out.
        """
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
        """Switch cells at random, the effect of reading or time; every generator draws once a
        column.

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
        """Activity of the cells, by the names of ``golden.array.activity.COUNTERS``."""
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
        """Cells and generators, for ``set_state``: all that commands change except counters."""
        return {"cells": self.read(), "generators": self.generators()}

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        """Raise KeyError, TypeError or ValueError if a ``state`` does not fit."""
        checks.integers("cells", state["cells"], self.shape, 0, 1)
        checks.integers("generators", state["generators"], self.shape[1:], 1, (1 << 64) - 1)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore a ``state``; raises as ``check_state``, and changes nothing then."""
        self.check_state(state)
        self.program(state["cells"])
        self.set_generators(state["generators"])

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare all state with a second array; by default there is none."""

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
        """``values`` of the variants that switch, from those of all variants or of these."""
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
