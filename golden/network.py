"""A dense gated-XNOR network whose weights live in synapse arrays."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from golden import checks, ptable, trit
from golden.layers import Activation, BatchNorm, Dense, Layer
from golden.matrix import ArrayPool
from golden.optim import Optimiser

_EVALUATION_BATCH = 1024


class Network:
    """Layers "layer1", "layer2", ...: dense, batch norm and, but for the last, activation.

    Parameters
    ----------
    pool : ArrayPool
        Whence the synapses come; its table codes the pulses.
    sizes : sequence of int
        n_in, hidden sizes, n_out.
    threshold, window : float
        Of the activations, see ``golden.layers.Activation``.
    steepness : float
        m of the switching probability tanh(m nu), see ``golden.ptable.encode``.
    dtype : dtype
        Of everything that is no integer.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two sizes or one is no positive integer.
    """

    def __init__(
        self,
        pool: ArrayPool,
        sizes: Sequence[int],
        *,
        threshold: float = 0.5,
        window: float = 0.5,
        steepness: float = ptable.GXNOR_M,
        dtype: DTypeLike = np.float32,
    ):
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least inputs and outputs, not {sizes!r}")
        self.pool, self.steepness = pool, steepness
        self.sizes = tuple(checks.integer(f"sizes[{i}]", n, 1) for i, n in enumerate(sizes))
        self.dense: list[Dense] = []
        self.norms: list[BatchNorm] = []
        self.layers: list[Layer] = []
        for number, (n_in, n_out) in enumerate(itertools.pairwise(self.sizes), start=1):
            name = f"layer{number}"
            if self.layers:
                self.layers.append(Activation(threshold, window))
            self.dense.append(Dense(pool.matrix(name, n_in, n_out), dtype))
            self.norms.append(BatchNorm(name, n_out, dtype))
            self.layers += [self.dense[-1], self.norms[-1]]

    def initialise(self, rng: np.random.Generator, density: float) -> None:
        """Program random weights.

        Ternary: each is non-zero with probability ``density``, +1 and -1 alike, and the zeros are
        0w and 0s alike. Binary: +1 and -1 alike, and ``density`` has no effect.
        """
        for dense in self.dense:
            matrix = dense.matrix
            shape = (matrix.n_out, matrix.n_in)
            bits = rng.integers(0, 2, (*shape, matrix.config.cells), dtype=np.uint8)
            if matrix.config.cells == 2:
                bits[..., 1] = bits[..., 0] ^ (rng.random(shape) < density)
            matrix.program(bits)

    def forward(self, u: np.ndarray, *, train: bool = False) -> np.ndarray:
        """Scores (batch, n_out) of trits (batch, n_in)."""
        x = u
        for layer in self.layers:
            x = layer.forward(x, train=train)
        return x

    def predict(self, u: np.ndarray) -> np.ndarray:
        """Classes (N,) of trits (N, n_in): the largest score, the first of equals."""
        parts = range(0, len(u), _EVALUATION_BATCH)
        scores = [self.forward(u[start : start + _EVALUATION_BATCH]) for start in parts]
        return np.concatenate(scores).argmax(axis=1)

    def backward(self, gradient: np.ndarray) -> None:
        """Propagate the gradient at the scores of the last training ``forward``.

        The first layer's errors are of no use, so its array is not read.
        """
        for layer in reversed(self.layers[1:]):
            gradient = layer.backward(gradient)
        self.dense[0].keep(gradient)

    def update(
        self,
        optimiser: Optimiser,
        learning_rate: float,
        rng: np.random.Generator,
        *,
        blind: bool = False,
    ) -> int:
        """One step of every weight and batch norm parameter, after ``backward``.

        Parameters
        ----------
        rng : numpy.random.Generator
            Rounds the pulse codes.
        blind : bool
            The blind rule instead of the exact one, see ``golden.cell``.

        Returns
        -------
        int
            Cells switched.
        """
        switched = 0
        table, config = self.pool.table, self.pool.config
        for dense in self.dense:
            change = optimiser.step(f"{dense.name}.weight", dense.gradient(), learning_rate)
            kappa, code = ptable.encode(change, table, config, rng, self.steepness)
            switched += dense.matrix.update(kappa, code, blind=blind)
        for norm in self.norms:
            for name, gradient in norm.gradients.items():
                change = optimiser.step(f"{norm.name}.{name}", gradient, learning_rate)
                norm.parameters[name] += change
        return switched

    def read(self) -> dict[str, np.ndarray]:
        """Cell bits of every layer, bool, (n_out, n_in, cells)."""
        return {dense.name: dense.matrix.read() for dense in self.dense}

    def norm_arrays(self) -> dict[str, np.ndarray]:
        """Batch norm parameters and statistics, "<layer>.<what>"; the arrays themselves."""
        return {
            f"{norm.name}.{what}": array
            for norm in self.norms
            for what, array in (norm.parameters | norm.statistics).items()
        }

    def weights(self) -> dict[str, np.ndarray]:
        """All that inference needs, by name: "<layer>.cells" (n_out, n_in, cells) bool,
        "<layer>.weights" (n_out, n_in) int8, and batch norm's "<layer>.gamma", "beta", "mean",
        "variance"."""
        arrays = dict(self.norm_arrays())
        for layer, bits in self.read().items():
            arrays |= {f"{layer}.cells": bits, f"{layer}.weights": trit.weights(bits)}
        return arrays

    def state(self) -> dict[str, np.ndarray]:
        """Everything that ``update`` changes: batch norms, and cells and generators by array."""
        arrays = dict(self.norm_arrays())
        for number, array in enumerate(self.pool.arrays):
            arrays[f"array{number}.cells"] = array.read()
            arrays[f"array{number}.generators"] = array.generators()
        return arrays

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a ``state``.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a part is missing or does not fit; some may be set then.
        """
        for name, array in self.norm_arrays().items():
            if state[name].shape != array.shape:
                raise ValueError(f"{name} must have shape {array.shape}, not {state[name].shape}")
            array[:] = state[name]
        for number, synapses in enumerate(self.pool.arrays):
            synapses.program(state[f"array{number}.cells"])
            synapses.set_generators(state[f"array{number}.generators"])


def populations(bits: np.ndarray) -> dict[str, int]:
    """How many synapses are in which state, from cell bits of shape (..., cells)."""
    names = trit.STATES["ternary" if bits.shape[-1] == 2 else "binary"]
    counts = np.bincount(trit.states(bits).ravel(), minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
