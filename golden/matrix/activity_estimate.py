"""Estimated activity: the counts that arrays would have for a matrix computed as a whole."""

from collections.abc import Callable

import numpy as np

from golden.array import frames
from golden.array.activity import Activity, Counters
from golden.array.frames import Op
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix.bit_serial import trit_vectors
from golden.pulse.coder import encode
from golden.pulse.table import ProbabilityTable


class ActivityEstimate:
    """Cycles and activity of a matrix.

    Parameters
    ----------
    places : list of tuple of int
        The matrix's parts in the arrays, see ``golden.matrix.tiled.ArrayBank.places``.
    config : ArrayConfig
        Configuration of the arrays.
    shape : tuple of int
        (n_out, n_in, cells).
    counters : golden.array.activity.Counters
        Gets the cycles.

    Attributes
    ----------
    on : bool
        Whether reads and pulses are counted; cycles always are.
    activity : golden.array.activity.Activity
    """

    def __init__(
        self,
        places: list[tuple[int, ...]],
        config: ArrayConfig,
        shape: tuple[int, int, int],
        counters: Counters,
    ):
        self.on, self.activity = False, Activity()
        self._places, self._config, self._shape = places, config, shape
        self._counters = counters
        self._costs: dict[tuple[Op, int], int] = {}

    def tick(self, op: Op, batch: int = 1) -> None:
        """Count a command's cycles."""
        key = (op, batch)
        if key not in self._costs:
            # Reads take whole converter groups, updates the columns alone.
            at = -1 if op is Op.UPDATE else 2
            widths = [place[at] for place in self._places]
            cycles = [frames.cycles(op, self._config, width, batch) for width in widths]
            self._costs[key] = sum(cycles)
        self._counters.cycles += self._costs[key]

    def read(
        self, op: Op, batch: int, drives: Callable[[], np.ndarray], limit: int, bits: np.ndarray
    ) -> None:
        """Count a read.

        Parameters
        ----------
        op : {Op.FORWARD, Op.BACKWARD}
        batch : int
            Number of vectors.
        drives : callable
            Returns the vectors (batch, n), integers in [-limit, limit]; called only while ``on``.
        limit : int
        bits : ndarray of shape (n_out n_in, cells), bool
        """
        for _ in range(limit.bit_length()):
            self.tick(op, batch)
        if not self.on:
            return
        bits = bits.reshape(self._shape)
        if op is Op.BACKWARD:
            self._lines("backward", np.count_nonzero(drives(), axis=0), batch, bits)
            return
        for _, plane in trit_vectors(drives().astype(np.int16), limit):
            self._lines("forward", np.count_nonzero(plane, axis=0), batch, bits)

    def pulses(
        self,
        bits: np.ndarray,
        change: np.ndarray,
        table: ProbabilityTable,
        steepness: float,
        *,
        blind: bool,
    ) -> None:
        """Count an update by changes (n_out, n_in); pulses that are not idle count as failed."""
        # A separate generator: counting has no effect on training.
        rng = np.random.default_rng(0)
        kappa, code = encode(change, table, self._config, rng, steepness)
        self.activity.pulses(bits, kappa.ravel(), code.ravel(), table.ticks, blind)
        self.activity.add(columns_updated=sum(cols for *_, cols in self._places))

    def aged(self, switched: int) -> None:
        """Count an AGE of all columns that switched ``switched`` cells."""
        if self.on:
            columns = sum(width for _, _, width, *_ in self._places)
            self.activity.add(columns_aged=columns, cells_aged=switched)

    def _lines(self, direction: str, driven: np.ndarray, batch: int, bits: np.ndarray) -> None:
        """Count a read as ``GoldenArray`` does for each part; ``driven`` counts drives by line."""
        forward, cells = direction == "forward", self._config.cells
        axis = 0 if forward else 1
        products = int((cell_weights(bits) != 0).sum(axis=axis) @ driven)
        in_p = int(bits.sum(axis=(axis, 2)) @ driven)
        drives = read = conversions = 0
        for _, _, width, row, rows, col, cols in self._places:
            part = driven[row : row + rows] if forward else driven[col : col + cols]
            across = width if forward else self._config.rows
            drives += int(part.sum())
            read += int(part.sum()) * across * cells
            conversions += batch * across
        if cells == 1:  # no product is gated off, not even in cells without a weight
            products = read
        values = {"conversions": conversions, "drives": drives, "products": products}
        values |= {"cells_p": in_p, "cells_ap": read - in_p}
        self.activity.add(**{f"{direction}_{what}": value for what, value in values.items()})
