"""The golden array: the synapse array in numpy, bit for bit the hardware's."""

import numpy as np

from golden.array import activity, cell, frames, lfsr
from golden.array.analog import AnalogRead
from golden.array.frames import Op
from golden.array.interface import SynapseArray
from golden.codes import cell_weights
from golden.config import ArrayConfig

__all__ = ["GoldenArray", "SynapseArray"]


class GoldenArray(SynapseArray):
    """Cells in numpy. The cycle counter follows the formula of the hardware.

    Attributes
    ----------
    analog_read : golden.array.analog.AnalogRead or None
        Computes analog sums; None, the default, gives exact sums.
    activity_counts : golden.array.activity.Activity
        The activity counters; ``activity`` reads them as the hardware does, with its cycles.
    """

    def __init__(self, config: ArrayConfig):
        super().__init__(config)
        self.analog_read: AnalogRead | None = None
        self._bits = np.zeros(self.shape, bool)
        # Sums of integers below 2^24 are exact in float32, and BLAS is for floats alone.
        largest = max(config.rows, config.cols << (config.error_bits - 1))
        self._float = np.dtype(np.float32 if largest < 1 << 24 else np.float64)
        self._weights = cell_weights(self._bits).astype(self._float)  # (cols, rows)
        self._variants = np.zeros(self.shape, np.uint8)
        self._table = np.zeros((config.variants * config.codes, 2), np.int64)
        self._ageing = np.zeros((config.variants, 2, config.cells), np.int64)
        self._ticks = np.zeros((config.codes, 2), np.int64)
        self.activity_counts = activity.Activity()
        self._lines: dict[tuple[int, int, int], np.ndarray] = {}
        self._streams = lfsr.Streams(self.power_up_states(), config.draw_bits)

    def _tick(self, op: Op, count: int = 0, batch: int = 1) -> None:
        self.counters.cycles += frames.cycles(op, self.config, count, batch)

    def _program(self, bits: np.ndarray, first: int) -> None:
        columns = slice(first, first + len(bits))
        if self.config.variant_bits:
            stuck = self._variants[columns] == self.config.variants - 1
            bits = np.where(stuck, self._bits[columns], bits)
        self._bits[columns] = bits
        self._weights[columns] = cell_weights(bits)
        self._lines.clear()
        self._tick(Op.PROGRAM, len(bits))
        self.activity_counts.add(columns_programmed=len(bits))

    def _read(self, first: int, count: int) -> np.ndarray:
        self._tick(Op.READ, count)
        self.activity_counts.add(columns_read=count)
        return self._bits[first : first + count].copy()

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        self._tick(Op.FORWARD, count, len(u))
        self.count_read("forward", u, first, count)
        if self.analog_read:
            return self.analog_read.forward(self._bits[first : first + count], u, first)
        return (u.astype(self._float) @ self._weights[first : first + count].T).astype(np.int32)

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        count = d.shape[1]
        self._tick(Op.BACKWARD, count, len(d))
        self.count_read("backward", d, first, count)
        if self.analog_read:
            return self.analog_read.backward(self._bits[first : first + count], d, first)
        return (d.astype(self._float) @ self._weights[first : first + count]).astype(np.int32)

    def count_read(self, direction: str, drives: np.ndarray, first: int, count: int) -> None:
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
            if len(self._lines) > 64:  # cells that never change may be read in many ranges
                self._lines.clear()
            self._lines[axis, first, count] = lines
        across = config.rows if axis else count  # converters, and synapses on each line
        self.activity_counts.read(
            direction,
            activity.ones(drives != 0, 0),
            lines,
            cells=across * config.cells,
            conversions=len(drives) * across,
        )

    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int:
        config, counts, count = self.config, self.activity_counts, len(code)
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
        self.load_rows(np.arange(len(thresholds)), thresholds, ticks)

    def _load_ageing(self, thresholds: np.ndarray) -> None:
        config = self.config
        rows = np.repeat(thresholds.reshape(-1, 1), 2, axis=1)
        index = config.variants * config.codes + np.arange(len(rows))
        self.load_rows(index, rows, np.zeros_like(rows))

    def _load_variants(self, variants: np.ndarray, first: int) -> None:
        self._tick(Op.VARIANTS, len(variants))
        self._variants[first : first + len(variants)] = variants

    def _age(self, first: int, count: int) -> int:
        self._tick(Op.AGE, count)
        columns = slice(first, first + count)
        bits, variants = self._bits[columns], self._variants[columns]
        thresholds = self._ageing
        # A cell in AP, 0, can only go to P, and the reverse: its state is the direction.
        own = np.arange(self.config.cells)
        flips = self._streams.draw(count) < thresholds[variants, bits.view(np.uint8), own]
        bits ^= flips
        self._weights[columns] = cell_weights(bits)
        self._lines.clear()
        switched = int(np.count_nonzero(flips))
        self.activity_counts.add(columns_aged=count, cells_aged=switched)
        return switched

    def _activity(self) -> dict[str, int]:
        self._tick(Op.COUNTERS)
        return self.activity_counts.counts()

    def _set_generators(self, states: np.ndarray) -> None:
        self._tick(Op.SEED)
        self._streams = lfsr.Streams(states, self.config.draw_bits)

    def _generators(self) -> np.ndarray:
        # The hardware reads the states by drawing, and seeds them again.
        self._tick(Op.GENERATORS)
        self._tick(Op.SEED)
        return self._streams.states

    # For a controller of command frames, and for tests. Arguments are not checked: the controller
    # has decoded them from fields of exactly this width.

    @property
    def cells(self) -> np.ndarray:
        """A copy of the cell bits, bool of shape (cols, rows, cells), 1 = P; ``read`` counts."""
        return self._bits.copy()

    @property
    def variants(self) -> np.ndarray:
        """A copy of the cells' variants, uint8 of shape (cols, rows, cells)."""
        return self._variants.copy()

    @property
    def thresholds(self) -> np.ndarray:
        """A copy of the pulses' thresholds, by direction, int64 of shape (variants, codes, 2)."""
        return self._table.reshape(self.config.variants, self.config.codes, 2).copy()

    @property
    def ticks(self) -> np.ndarray:
        """A copy of the pulse lengths in ticks, by direction, int64 of shape (codes, 2)."""
        return self._ticks.copy()

    @property
    def ageing(self) -> np.ndarray:
        """A copy of the thresholds of ageing, int64 of shape (variants, 2, cells).

        The second index is the cell's state, 0 for AP.
        """
        return self._ageing.copy()

    @property
    def generator_states(self) -> np.ndarray:
        """The generators' states, uint64 of shape (rows, cells); ``generators`` counts cycles."""
        return self._streams.states

    def reset(self) -> None:
        """Reset as in hardware: generators and activity are as in a new array; cells, variants and
        table stay."""
        self.put_generators(self.power_up_states())
        self.activity_counts = activity.Activity()

    def power_up_states(self) -> np.ndarray:
        """The generators' states after a reset, uint64 of shape (rows, cells)."""
        states = lfsr.stream_states(0, 0, self.config.rows * self.config.cells)
        return states.reshape(self.shape[1:])

    def put_generators(self, states: np.ndarray) -> None:
        """Set the generators' states, uint64 of shape (rows, cells); zero stays zero."""
        self._streams = lfsr.Streams(states, self.config.draw_bits, allow_zero=True)

    def draw(self, count: int) -> np.ndarray:
        """Draw ``count`` times from every generator: unsigned of shape (count, rows, cells)."""
        return self._streams.draw(count)

    def load_rows(self, index: np.ndarray, thresholds: np.ndarray, ticks: np.ndarray) -> None:
        """Write rows of the hardware's table (see ``golden.array.frames``).

        Parameters
        ----------
        index : ndarray of shape (n,), integer
            Numbers of the rows. Rows of stuck cells have no effect.
        thresholds, ticks : ndarray of shape (n, 2), integer
            For pulses by direction. For ageing by cell, without ticks.
        """
        config = self.config
        self._tick(Op.LOAD_TABLE, len(index))
        index, age = np.asarray(index), np.asarray(index) - config.variants * config.codes
        lengths = index < config.codes
        self._ticks[index[lengths]] = ticks[lengths]
        pulses = index < config.switching_variants * config.codes
        self._table[index[pulses]] = thresholds[pulses]
        ages = (age >= 0) & (age < 2 * config.switching_variants)
        states = self._ageing.reshape(-1, config.cells)
        states[age[ages]] = thresholds[ages, : config.cells]

    def age_as_loaded(self, first: int, count: int) -> int:
        """``age`` with the thresholds in the table."""
        return self._age(first, count)
