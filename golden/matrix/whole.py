"""Whole matrices of synapses for large networks.

Cells, update rule, table and probability distributions are those of the golden array. The draws are
numpy's, and they are made only for cells that may switch.

A sum is one exact product of matrices. The cost of an update is in proportion to the cells that may
switch (``golden.matrix.thinning``). Random numbers and cells are numpy's; weights, sums and changes
are arrays of a back end (``golden.backend``). Cycles and reads are counted as on arrays of the size
in ``config``.
"""

from collections.abc import Callable

import numpy as np

from golden import checks
from golden.array import cell
from golden.array.activity import Counters
from golden.array.frames import Op
from golden.backend import NUMPY, Backend, Tensor, namespace
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix import thinning
from golden.matrix.activity_estimate import ActivityEstimate
from golden.matrix.reads import Reads
from golden.pulse.coder import encode
from golden.pulse.table import GXNOR_M, ProbabilityTable

_GATHER = 130  # cost of a product of two gathered columns, in entries of a whole product
_SPARSE = 0.02  # from this share of candidates on, to look for changes is less work
_PACK = 12  # two sums of up to 2^11 - 1 fit in the 24 bits that float32 holds exactly


class WholeMatrix:
    """An (n_in, n_out) matrix of synapses.

    Parameters
    ----------
    name : str
    places : list of tuple of int
        Its place in arrays of the size in ``config``, for the counters; see
        ``golden.matrix.tiled.ArrayBank.places``.
    config : ArrayConfig
        Word widths and kind of synapse, and the size of arrays for the counters.
    rng : numpy.random.Generator
        Generator of the draws, shared by all matrices of a bank.
    backend : golden.backend.Backend
        Computes sums and changes.

    Attributes
    ----------
    shape : tuple of int
        (n_out, n_in, cells).
    weights : array of shape (n_out, n_in), float32
        Weights as an array of the back end.
    counters : golden.array.activity.Counters
        Cycles that arrays would take; cells switched.
    estimate : golden.matrix.activity_estimate.ActivityEstimate
        Counts reads and pulses while it is on; that takes as long as the work itself.
    reads : golden.matrix.reads.Reads or None
        Counter of the reads of its cells, if any.
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
        self.estimate = ActivityEstimate(places, config, self.shape, self.counters)
        self.reads: Reads | None = None
        self._rng = rng
        self._kind = np.dtype(backend.small or np.float32)
        self._bits = np.zeros((self.n_out * self.n_in, config.cells), bool)
        self._variants: np.ndarray | None = None
        self._thresholds = np.zeros((1, config.codes, 2), np.int64)
        self._highest = np.zeros(config.codes, np.int64)
        self._edges: tuple[float, np.ndarray] | None = None
        self._least = np.zeros(0, np.float32)
        self._half = -(-self.n_out // 2)
        self._packed: np.ndarray | None = None
        self.weights: Tensor = None
        self._weigh()

    def load_table(self, table: ProbabilityTable) -> None:
        """Load switching thresholds; stuck cells get 0."""
        config = self.config
        thresholds = table.thresholds[None] if table.variants is None else table.variants
        if config.variant_bits:
            every = np.zeros((config.variants, config.codes, 2), np.int64)
            every[:-1] = thresholds[: config.variants - 1]
            thresholds = every
        self._thresholds, self._edges = thresholds, None
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

    def forward(self, u: Tensor, limit: int = 1) -> Tensor:
        """Sums (batch, n_out) of integers u (batch, n_in) in [-limit, limit]; both float arrays of
        the back end."""
        limit = checks.integer("limit", limit, 1, 127)
        self.counted(Op.FORWARD, len(u), lambda: self.backend.host(u), limit)
        if products := self.backend.products:
            return products.multiply(u, self.weights.T, self.n_in * limit)
        wide = self.n_in * limit >= 1 << (_PACK - 1)
        if self._packed is None or wide or u.dtype != np.float32:
            return u @ namespace(u).astype(self.weights, u.dtype, copy=False).T
        # Columns i and i + half in one number: half the multiplications.
        both = u @ self._packed
        sums = np.empty((len(u), self.n_out), np.float32)
        high = np.rint(both * np.float32(2.0**-_PACK))
        sums[:, self._half :] = high[:, : self.n_out - self._half]
        high *= np.float32(1 << _PACK)
        np.subtract(both, high, out=sums[:, : self._half])
        return sums

    def backward(self, d: Tensor) -> Tensor:
        """Errors (batch, n_in) of errors d (batch, n_out); both float arrays of the back end."""
        self.counted(Op.BACKWARD, len(d), lambda: self.backend.host(d))
        xp, largest = namespace(d), self.n_out << (self.config.error_bits - 1)
        if products := self.backend.products:
            return products.multiply(d, self.weights, largest)
        exact = d.dtype if largest < 1 << 24 else xp.float64
        weights = xp.astype(self.weights, exact, copy=False)
        return xp.astype(d, exact, copy=False) @ weights

    def change(
        self,
        change: Tensor,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        factor: float = 1.0,
        sparse: bool = False,
    ) -> int:
        """Code real-valued weight changes and pulse.

        Parameters
        ----------
        change : array of shape (n_out, n_in), float
            Array of the back end; the weight changes are ``factor`` times it.
        table : ProbabilityTable
        rng : numpy.random.Generator
            Rounds the codes.
        steepness : float
            m of tanh(m nu).
        blind : bool
            The blind rule.
        factor : float
        sparse : bool
            Whether most changes are 0, so that it may be faster to look for the others.

        Returns
        -------
        int
            Cells switched.

        Raises
        ------
        ValueError
            If a change is not finite.
        """
        low, high = self.backend.extremes(change)
        if self.estimate.on:
            host = factor * self.backend.host(change)
            self.estimate.pulses(self._bits, host, table, steepness, blind=blind)
        return self._pulse(
            np.maximum(high, -low) * abs(factor),
            lambda at: factor * self.backend.take(change, at),
            table, rng, steepness, blind,
            (lambda: self.backend.nonzero(change)) if sparse else None,
        )  # fmt: skip

    def change_by(
        self,
        d: Tensor,
        u: Tensor,
        limit: int,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        factor: float = 1.0,
    ) -> int:
        """``change`` by ``factor`` d^T u.

        d (batch, n_out) and u (batch, n_in) in [-limit, limit] are whole numbers, arrays of the
        back end. Only the changes of candidates are computed if that is less work. The other
        arguments, the return value and the errors are those of ``change``.
        """
        code = (table, rng, steepness)
        if products := self.backend.products:
            largest = len(d) * (self.config.max_error + 1) * limit
            total = products.multiply(d.T, u, largest)
            return self.change(total, *code, blind=blind, factor=factor)
        bound = abs(factor) * limit * np.abs(d).sum(axis=0)
        rate = self._reach(bound / self.config.step, table, steepness) / table.scale
        if float(rate.sum()) * _GATHER > self.n_out:
            return self.change(d.T @ u, *code, blind=blind, factor=factor)

        if self.estimate.on:
            self.estimate.pulses(self._bits, factor * (d.T @ u), table, steepness, blind=blind)

        def changes(at: np.ndarray) -> np.ndarray:
            row, col = np.divmod(at, self.n_in)
            left, right = np.ascontiguousarray(d.T)[row], np.ascontiguousarray(u.T)[col]
            sums: np.ndarray = np.einsum("ij,ij->i", left, right)
            return factor * sums

        return self._pulse(bound, changes, table, rng, steepness, blind)

    def _pulse(
        self,
        largest: np.ndarray,
        changes: Callable[[np.ndarray], np.ndarray],
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float,
        blind: bool,
        support: Callable[[], np.ndarray] | None = None,
    ) -> int:
        """Pulse by changes of magnitude up to ``largest`` (n_out,).

        ``changes`` gives the changes at flat indices, ``support`` the indices of those that are
        not 0.
        """
        if not np.isfinite(largest).all():
            raise ValueError(f"change of {self.name} must be finite")
        self.estimate.tick(Op.UPDATE)
        config, scale = self.config, table.scale
        b = self._reach(largest / config.step, table, steepness) / scale
        # Under the exact rule a change below one step drives at most one cell that is not idle: one
        # draw is enough for both. In lines with larger changes all synapses are candidates.
        one = config.cells == 1 or not blind
        rate = b if one else 1 - (1 - b) ** 2
        if one and config.cells == 2:
            rate = np.where(largest < config.step, rate, 1.0)
        if support and float(rate.sum()) > _SPARSE * self.n_out:
            at, rate = support(), np.ones_like(rate)
        else:
            at = thinning.candidates(rate, self.n_in, self._rng)
        if not len(at):
            return 0
        bound = np.where(rate > thinning.DENSE, scale, np.rint(b * scale))[at // self.n_in]
        draws = thinning.draws(bound, 1 if one else 2, config.draw_bits, self._rng)
        change = changes(at)
        size = np.abs(change) / config.step
        # Most candidates are dropped here: their draw is above the threshold of any code of theirs.
        lowest = draws[:, 0] if one else np.minimum(draws[:, 0], draws[:, 1])
        reached = size >= self._least[lowest >> max(0, config.draw_bits - 16)]
        if largest.max() >= config.step:
            reached |= size >= 1  # the other cell may switch
        near = np.flatnonzero(reached)
        at, draws, change = at[near], draws[near], change[near]
        if one and config.cells == 2:
            draws = np.repeat(draws, 2, axis=1)
            large = np.flatnonzero(size[near] >= 1)
            if len(large):
                draws[large, 1] = self._rng.integers(0, scale, len(large))
        kappa, code = encode(change[None], table, config, rng, steepness)
        bits = self._bits[at]
        pulses = cell.pulses(bits, kappa[0], code[0], config.codes - 1, blind=blind)
        variants = None if self._variants is None else self._variants[at]
        hits = cell.switch(pulses, draws, self._thresholds, variants)
        if self.estimate.on:
            self.estimate.activity.switched(pulses.code, hits, table.ticks)
        return self._flip(at, bits, cell.flips(hits, pulses.up, config.cells))

    def _reach(self, size: np.ndarray, table: ProbabilityTable, steepness: float) -> np.ndarray:
        """Highest threshold for changes of ``size`` steps."""
        if self._edges is None or self._edges[0] != steepness:
            levels = table.levels[1:-1]
            inverse = levels if table.by_length else np.arctanh(np.minimum(levels, 1 - 1e-12))
            # A margin for rounding: a code that is too high is safe.
            edges = (inverse / (1.0 if table.by_length else steepness)) * (1 - 1e-5)
            edges = np.minimum(edges, 1 - 1e-5)
            self._edges = steepness, edges
            # The inverse: the least size whose threshold is above a draw's 16 highest bits.
            draws = np.arange(1 << min(16, table.draw_bits)) << max(0, table.draw_bits - 16)
            code = np.searchsorted(self._highest[1:], draws, side="right")
            self._least = np.concatenate([[0.0], edges, [np.inf]]).astype(np.float32)[code]
        return self._highest[1:][np.searchsorted(self._edges[1], size, side="right")]

    def age(self, thresholds: np.ndarray, first: int = 0, count: int | None = None) -> int:
        """Switch cells at random, the effect of reading or time. Returns the cells switched.

        Thresholds have shape (2,) or (variants, 2), as for ``SynapseArray.age``. ``first`` and
        ``count`` must include all columns; otherwise ValueError is raised.
        """
        if first or count not in (None, self.n_out):
            raise ValueError(
                f"first and count must be 0 and {self.n_out} for a whole matrix, "
                f"not {first} and {count}"
            )
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
        own: Tensor = 0 if self._variants is None else self._variants.reshape(-1)[cells]
        state = self._bits.reshape(-1)[cells].view(np.uint8)
        flips = np.zeros(self._bits.size, bool)
        flips[cells] = draws < thresholds[own, state]
        flips = flips.reshape(self._bits.shape)
        at = np.flatnonzero(flips.any(axis=1))
        switched = self._flip(at, self._bits[at], flips[at])
        self.counters.switched -= switched  # it counts updates alone
        self.estimate.aged(switched)
        return switched

    def state(self) -> dict[str, np.ndarray]:
        """State for ``set_state``: the cells."""
        return {"cells": self.read()}

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        """Raise KeyError, TypeError or ValueError if a ``state`` does not fit."""
        checks.integers("cells", state["cells"], self.shape, 0, 1)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore a ``state``; raises as ``check_state``, and changes nothing then."""
        self.check_state(state)
        self.program(state["cells"])

    def counted(self, op: Op, batch: int, drives: Callable[[], np.ndarray], limit: int = 1) -> None:
        """Count a read of ``batch`` vectors, for callers that use ``weights`` directly.

        ``drives`` returns the vectors; it is called only if they are needed.
        """
        self.estimate.read(op, batch, drives, limit, self._bits)
        if self.reads:
            self.reads.count(op, drives())

    def activity(self) -> dict[str, int]:
        """Counts of ``estimate``, by the names of ``golden.array.activity.COUNTERS``."""
        return self.estimate.activity.counts()

    def verify(self) -> None:
        """Do nothing: there is no second array to compare with."""

    def _flip(self, at: np.ndarray, bits: np.ndarray, flips: np.ndarray) -> int:
        changed = flips.any(axis=1)
        at, bits = at[changed], bits[changed] ^ flips[changed]
        switched = int(np.count_nonzero(flips))
        self.counters.switched += switched
        if len(at):
            self._bits[at] = bits
            weights = cell_weights(bits)
            self.backend.put(self.weights, at, weights.astype(self._kind))
            self._pack(at)
        return switched

    def _weigh(self) -> None:
        weights = cell_weights(self._bits).reshape(self.shape[:2]).astype(self._kind)
        self.weights = self.backend.array(weights)
        if self.backend is NUMPY:
            self._packed = np.zeros((self.n_in, self._half), np.float32)
            self._packed[:] = weights[: self._half].T
            self._packed[:, : self.n_out - self._half] += (1 << _PACK) * weights[self._half :].T

    def _pack(self, at: np.ndarray) -> None:
        """Update the packed weights of synapses ``at``."""
        if self._packed is None:
            return
        row, col = np.divmod(at, self.n_in)
        row %= self._half
        packed = self.weights[row, col]
        other = row + self._half < self.n_out
        packed[other] += (1 << _PACK) * self.weights[row[other] + self._half, col[other]]
        self._packed[col, row] = packed
