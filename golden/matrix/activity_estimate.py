"""What arrays of one size would count for a matrix that is computed as a whole."""

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
        Its parts in the arrays, see ``golden.matrix.tiled.ArrayBank.places``.
    config : ArrayConfig
        Of the arrays.
    shape : tuple of int
        (n_out, n_in, cells).
    counters : golden.array.activity.Counters
        Whose cycles go up.

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
            # Reads go over whole converter groups, updates over the columns alone.
            at = -1 if op is Op.UPDATE else 2
            widths = [place[at] for place in self._places]
            cycles = [frames.cycles(op, self._config, width, batch) for width in widths]
            self._costs[key] = sum(cycles)
        self._counters.cycles += self._costs[key]

    def read(
        self, op: Op, batch: int, drives: Callable[[], np.ndarray], limit: int, bits: np.ndarray
    ) -> None:
        """Count a read by ``batch`` vectors, which ``drives`` tells if need be, in [-limit, limit];
        ``bits`` are the cells, (n_out n_in, cells)."""
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
        """Count an update by changes (n_out, n_in), all pulses that do not idle as failed."""
        # A generator of its own: counting changes nothing.
        rng = np.random.default_rng(0)
        kappa, code = encode(change, table, self._config, rng, steepness)
        self.activity.pulses(bits, kappa.ravel(), code.ravel(), table.ticks, blind)
        self.activity.add(columns_updated=sum(cols for *_, cols in self._places))

    def aged(self, switched: int) -> None:
        """Count an AGE of all columns that switched so many cells."""
        if self.on:
            columns = sum(width for _, _, width, *_ in self._places)
            self.activity.add(columns_aged=columns, cells_aged=switched)

    def _lines(self, direction: str, driven: np.ndarray, batch: int, bits: np.ndarray) -> None:
        """Count a read that drove each line so often, as ``GoldenArray`` does part by part."""
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
        if cells == 1:  # not gated off anywhere, nor in cells that no weight uses
            products = read
        values = {"conversions": conversions, "drives": drives, "products": products}
        values |= {"cells_p": in_p, "cells_ap": read - in_p}
        self.activity.add(**{f"{direction}_{what}": value for what, value in values.items()})
