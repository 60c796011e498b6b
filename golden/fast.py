"""Whole matrices of synapses for large networks: the same cells, rule and table as the golden
array's, but draws of numpy's generators, and those only where they may switch a cell.

A sum is one product of matrices, exact; an update costs in proportion to the cells that it may
switch (``golden.thinning``). All distributions are those of the golden array, the random numbers
are others. Random numbers and cells stay with numpy; weights, sums and changes are arrays of a back
end (``golden.backend``). Cycles and reads are counted as on arrays of ``config``'s size.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from golden import cell, checks, protocol, ptable, thinning, trit
from golden.activity import Activity, Counters
from golden.backend import NUMPY, Backend
from golden.config import ArrayConfig
from golden.matrix import ArrayPool
from golden.planes import planes
from golden.protocol import Op
from golden.ptable import GXNOR_M, ProbabilityTable

_PACK = 12  # two sums of up to 2^11 - 1 in the 24 bits that float32 holds exactly


class FastMatrix:
    """An (n_in, n_out) matrix of synapses.

    Parameters
    ----------
    name : str
    places : list of tuple of int
        Where it would lie in arrays of ``config``'s size, see ``golden.matrix.ArrayPool.places``.
    config : ArrayConfig
        Word widths and kind of synapse; its size is that of the arrays which are counted.
    rng : numpy.random.Generator
        Of the draws; shared by all matrices of a pool.
    backend : golden.backend.Backend

    Attributes
    ----------
    shape : tuple of int
        (n_out, n_in, cells).
    weights : array of shape (n_out, n_in), float32
        Of the back end.
    counters : golden.array.Counters
        Cycles that arrays would take; cells switched.
    """

    def __init__(
        self,
        name: str,
        places: list[tuple[int, ...]],
        config: ArrayConfig,
        rng: np.random.Generator,
        backend: Backend = NUMPY,
    ):
        self.name, self.config, self.backend = name, config, backend
        self.n_in = max(row + rows for _, _, _, row, rows, _, _ in places)
        self.n_out = max(col + cols for *_, col, cols in places)
        self.shape = (self.n_out, self.n_in, config.cells)
        self.counters = Counters()
        self._activity: Activity | None = None
        self._counted = Activity()
        self._rng, self._places = rng, places
        self._bits = np.zeros((self.n_out * self.n_in, config.cells), bool)
        self._variants: np.ndarray | None = None
        self._thresholds = np.zeros((1, config.codes, 2), np.int64)
        self._highest = np.zeros(config.codes, np.int64)
        self._table: ProbabilityTable | None = None
        self._costs: dict[tuple[Op, int], int] = {}
        self._half = -(-self.n_out // 2)
        self._packed: np.ndarray | None = None
        self.weights: Any = None
        self._weigh()

    def load_table(self, table: ProbabilityTable) -> None:
        """Load switching thresholds, those of stuck cells being never."""
        config = self.config
        thresholds = table.thresholds[None] if table.variants is None else table.variants
        if config.variant_bits:
            every = np.zeros((config.variants, config.codes, 2), np.int64)
            every[:-1] = thresholds[: config.variants - 1]
            thresholds = every
        self._table, self._thresholds = table, thresholds
        self._highest = np.maximum.accumulate(thresholds.max(axis=(0, 2)))

    def program(self, bits: np.ndarray) -> None:
        """Write cell bits of shape (n_out, n_in, cells); stuck cells stay as they are."""
        bits = checks.integers("bits", bits, self.shape, 0, 1).astype(bool)
        bits = bits.reshape(self._bits.shape)
        if self._variants is not None:
            bits = np.where(self._variants == self.config.variants - 1, self._bits, bits)
        self._bits = bits.copy()
        self._weigh()

    def load_variants(self, variants: np.ndarray) -> None:
        """Give the cells their variants, integers of shape (n_out, n_in, cells)."""
        variants = checks.integers("variants", variants, self.shape, 0, self.config.variants - 1)
        self._variants = variants.astype(np.uint8).reshape(self._bits.shape)

    def read(self) -> np.ndarray:
        """Cell bits, (n_out, n_in, cells), bool."""
        return self._bits.reshape(self.shape).copy()

    def forward(self, u: Any, limit: int = 1) -> Any:
        """Sums (batch, n_out) of integers u (batch, n_in), at most ``limit``; float arrays of the
        back end."""
        self.counted(Op.FORWARD, len(u), lambda: self.backend.host(u), limit)
        if self._packed is None or self.n_in * limit >= 1 << (_PACK - 1):
            return u @ self.weights.T
        # Columns i and i + half in one number: half the multiplications.
        both = u @ self._packed
        sums = np.empty((len(u), self.n_out), np.float32)
        high = np.rint(both * np.float32(2.0**-_PACK))
        sums[:, self._half :] = high[:, : self.n_out - self._half]
        high *= np.float32(1 << _PACK)
        np.subtract(both, high, out=sums[:, : self._half])
        return sums

    def backward(self, d: Any) -> Any:
        """Errors (batch, n_in) of errors d (batch, n_out); both float arrays of the back end."""
        self.counted(Op.BACKWARD, len(d), lambda: self.backend.host(d))
        return d @ self.weights

    def change(
        self,
        change: Any,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        factor: float = 1.0,
    ) -> int:
        """Pulse by real-valued weight changes ``factor`` times (n_out, n_in), an array of the back
        end.

        ``rng`` rounds the codes. Returns cells switched. Raises ValueError if a change is not
        finite.
        """
        low, high = self.backend.extremes(change)
        largest = np.maximum(high, -low) * abs(factor)
        if not np.isfinite(largest).all():
            raise ValueError(f"change of {self.name} must be finite")
        self._tick(Op.UPDATE, 1)
        if self._activity is not None:
            self._count_pulses(factor * self.backend.host(change), table, steepness, blind)
        config, top = self.config, self._highest[-1]
        size = largest / config.step
        code, _ = table.between(np.minimum(size, 0.999), steepness)
        bound = np.where(size < 0.999, self._highest[code + 1], top)
        b = bound / table.scale
        either = 1 - (1 - b) ** config.cells
        at = thinning.candidates(either, self.n_in, self._rng)
        if not len(at):
            return 0
        bound = np.where(either > thinning.DENSE, table.scale, bound)[at // self.n_in]
        draws = thinning.draws(bound, config.cells, config.draw_bits, self._rng)
        changes = factor * self.backend.take(change, at)
        # Most candidates fall out here, by the highest threshold that their own change can have.
        size = np.abs(changes) / config.step
        code, _ = table.between(np.minimum(size, 0.999).astype(np.float32), steepness)
        own = np.where(size < 0.999, self._highest[code + 1], top)
        near = draws.min(axis=1) < own
        at, draws, changes = at[near], draws[near], changes[near]
        kappa, code = ptable.encode(changes[None], table, config, rng, steepness)
        bits = self._bits[at]
        pulses = cell.pulses(bits, kappa[0], code[0], config.codes - 1, blind=blind)
        variants = None if self._variants is None else self._variants[at]
        hits = cell.switch(pulses, draws, self._thresholds, variants)
        if self._activity is not None:
            self._activity.switched(pulses.code, hits, table.ticks)
        return self._flip(at, bits, cell.flips(hits, pulses.up, config.cells))

    def age(self, thresholds: np.ndarray, first: int = 0, count: int | None = None) -> int:
        """Let cells switch as reading or time makes them, by thresholds of shape (2,) or
        (variants, 2) as for ``golden.array.SynapseArray.age``. Returns cells switched."""
        if first or count not in (None, self.n_out):
            raise ValueError("a whole matrix ages at once")
        config = self.config
        thresholds = np.atleast_2d(thresholds)
        if self._variants is not None:
            every = np.zeros((config.variants, 2), np.int64)
            every[:-1] = thresholds[: config.variants - 1]
            thresholds = every
        highest = int(thresholds.max())
        bound = np.array([highest / (1 << config.draw_bits)])
        cells = thinning.candidates(bound, self._bits.size, self._rng)
        least = highest if bound[0] <= thinning.DENSE else 1 << config.draw_bits
        draws = thinning.draws(np.full(len(cells), least), 1, config.draw_bits, self._rng)[:, 0]
        own: Any = 0 if self._variants is None else self._variants.reshape(-1)[cells]
        state = self._bits.reshape(-1)[cells].view(np.uint8)
        flips = np.zeros(self._bits.size, bool)
        flips[cells] = draws < thresholds[own, state]
        flips = flips.reshape(self._bits.shape)
        at = np.flatnonzero(flips.any(axis=1))
        switched = self._flip(at, self._bits[at], flips[at])
        self.counters.switched -= switched  # of updates alone
        return switched

    def state(self) -> dict[str, np.ndarray]:
        """What ``set_state`` takes: the cells."""
        return {"cells": self._bits.reshape(self.shape)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a ``state``; raises KeyError, TypeError or ValueError if it does not fit."""
        self.program(state["cells"])

    def count(self, on: bool) -> None:
        """Count reads and pulses from now on, or no longer."""
        self._activity = self._counted if on else None

    def activity(self) -> dict[str, int]:
        """What was counted so far, by the names of ``golden.activity.COUNTERS``."""
        return self._counted.counts()

    def verify(self) -> None:
        """There is nothing else to compare with."""

    def _flip(self, at: np.ndarray, bits: np.ndarray, flips: np.ndarray) -> int:
        changed = flips.any(axis=1)
        at, bits = at[changed], bits[changed] ^ flips[changed]
        switched = int(np.count_nonzero(flips))
        self.counters.switched += switched
        if len(at):
            self._bits[at] = bits
            weights = trit.weights(bits)
            self.backend.put(self.weights, at, weights.astype(np.float32))
            self._pack(at)
        return switched

    def _weigh(self) -> None:
        weights = trit.weights(self._bits).reshape(self.shape[:2]).astype(np.float32)
        self.weights = self.backend.array(weights)
        if self.backend is NUMPY:
            self._packed = np.zeros((self.n_in, self._half), np.float32)
            self._packed[:] = weights[: self._half].T
            self._packed[:, : self.n_out - self._half] += (1 << _PACK) * weights[self._half :].T

    def _pack(self, at: np.ndarray) -> None:
        """Renew the packed weights of synapses ``at``."""
        if self._packed is None:
            return
        row, col = np.divmod(at, self.n_in)
        row %= self._half
        packed = self.weights[row, col]
        other = row + self._half < self.n_out
        packed[other] += (1 << _PACK) * self.weights[row[other] + self._half, col[other]]
        self._packed[col, row] = packed

    def _tick(self, op: Op, batch: int) -> None:
        """Count the cycles that arrays would take."""
        key = (op, batch)
        if key not in self._costs:
            widths = [width for _, _, width, *_ in self._places]
            cycles = [protocol.cycles(op, self.config, width, batch) for width in widths]
            self._costs[key] = sum(cycles)
        self.counters.cycles += self._costs[key]

    def counted(self, op: Op, batch: int, drives: Callable[[], np.ndarray], limit: int = 1) -> None:
        """Count a read of ``batch`` vectors, which ``drives`` gives if they are looked at."""
        for _ in range(limit.bit_length()):
            self._tick(op, batch)
        if self._activity is None:
            return
        if op is Op.BACKWARD:
            self._count_lines("backward", np.count_nonzero(drives(), axis=0), batch)
            return
        for _, plane in planes(drives().astype(np.int16), limit):
            self._count_lines("forward", np.count_nonzero(plane, axis=0), batch)

    def _count_lines(self, direction: str, driven: np.ndarray, batch: int) -> None:
        """Count a read that drove each line so often, as ``GoldenArray`` counts it part by part."""
        assert self._activity is not None
        forward, cells = direction == "forward", self.config.cells
        states = self._bits.reshape(self.shape)
        axis = 0 if forward else 1
        products = int((trit.weights(states) != 0).sum(axis=axis) @ driven)
        in_p = int(states.sum(axis=(axis, 2)) @ driven)
        drives = read = conversions = 0
        for _, _, width, row, rows, col, cols in self._places:
            part = driven[row : row + rows] if forward else driven[col : col + cols]
            across = width if forward else self.config.rows
            drives += int(part.sum())
            read += int(part.sum()) * across * cells
            conversions += batch * across
        values = {"conversions": conversions, "drives": drives, "products": products}
        values |= {"cells_p": in_p, "cells_ap": read - in_p}
        self._activity.add(**{f"{direction}_{what}": value for what, value in values.items()})

    def _count_pulses(
        self, change: np.ndarray, table: ProbabilityTable, steepness: float, blind: bool
    ) -> None:
        assert self._activity is not None
        # A generator of its own: counting changes nothing.
        rng = np.random.default_rng(0)
        kappa, code = ptable.encode(change, table, self.config, rng, steepness)
        self._activity.pulses(self._bits, kappa.ravel(), code.ravel(), table.ticks, blind)
        self._activity.add(columns_updated=sum(width for _, _, width, *_ in self._places))


class FastPool(ArrayPool):
    """Whole matrices in the place of arrays; the parameters are ``golden.matrix.ArrayPool``'s.

    Attributes
    ----------
    arrays : list of FastMatrix
        In the order of ``matrix``.
    rng : numpy.random.Generator
        Of the draws.
    """

    def __init__(
        self,
        config: ArrayConfig,
        table: ProbabilityTable,
        seed: int,
        equip: Callable[[Any, int], None] | None = None,
        backend: Backend = NUMPY,
    ):
        super().__init__(_none, config, table, seed, equip)
        self.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
        self.backend = backend

    def matrix(self, name: str, n_in: int, n_out: int) -> Any:
        """A new matrix of ``n_in`` x ``n_out`` synapses; raises as ``ArrayPool.matrix``."""
        places = list(self.places(n_in, n_out))
        matrix = FastMatrix(name, places, self.config, self.rng, self.backend)
        matrix.load_table(self.table)
        if self._equip:
            self._equip(matrix, len(self.arrays))
        self.arrays.append(matrix)
        return matrix

    def count(self, on: bool) -> None:
        """Count reads and pulses from now on, or no longer; counts go on where they were."""
        for matrix in self.arrays:
            matrix.count(on)

    def used(self, number: int) -> int:
        """Columns of matrix ``number``."""
        return self.arrays[number].n_out

    def _add(self) -> None:
        """There are no arrays to make."""


def _none(config: ArrayConfig) -> Any:
    raise NotImplementedError
