"""A gated-XNOR network whose weights live in synapse arrays."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from golden import checks, ptable, spec
from golden.backend import NUMPY, Backend
from golden.codes import STATES, cell_states, cell_weights
from golden.fast import WholeMatrix
from golden.layers import Activation, BatchNorm, Layer, squared_hinge
from golden.optim import Gradient, Optimiser
from golden.spec import Block
from golden.weighted import Conv, Dense, Weighted

EVALUATION_BATCH = {1: 1024, 3: 250}  # vectors, images: by axes of a sample


class Step(NamedTuple):
    """What a training step came to: mean loss, classes told (batch,), cells switched."""

    loss: float
    classes: np.ndarray
    switched: int


class SynapseNetwork(ABC):
    """What a trainer knows of a network: weights in the matrices of ``weighted``, on the arrays of
    ``bank``, and a few numbers for each column."""

    bank: Any
    backend: Backend = NUMPY
    weighted: Sequence[Any]  # each with ``name`` and ``matrix``

    def initialise(self, rng: np.random.Generator, density: float) -> None:
        """Program random weights.

        Ternary: each is non-zero with probability ``density``, +1 and -1 alike, and the zeros are
        0w and 0s alike. Binary: +1 and -1 alike, and ``density`` has no effect.
        """
        for layer in self.weighted:
            matrix = layer.matrix
            shape = (matrix.n_out, matrix.n_in)
            bits = rng.integers(0, 2, (*shape, matrix.config.cells), dtype=np.uint8)
            if matrix.config.cells == 2:
                bits[..., 1] = bits[..., 0] ^ (rng.random(shape) < density)
            matrix.program(bits)

    @abstractmethod
    def train_step(
        self, u: np.ndarray, labels: np.ndarray, optimiser: Optimiser, learning_rate: float,
        rng: np.random.Generator, *, blind: bool = False,
    ) -> Step:  # fmt: skip
        """Forward, backward and update on a batch; ``rng`` rounds the pulse codes."""

    @abstractmethod
    def predict(self, u: np.ndarray) -> np.ndarray:
        """Classes (N,) of integers (N, *shape): the largest score, the first of equals."""

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare what is not in the arrays with whatever else holds it; mostly there is none."""

    def read(self) -> dict[str, np.ndarray]:
        """Cell bits of every layer, bool, (n_out, n_in, cells)."""
        return {layer.name: layer.matrix.read() for layer in self.weighted}

    def weights(self) -> dict[str, np.ndarray]:
        """All that inference needs, by name: "<layer>.cells" (n_out, n_in, cells) bool,
        "<layer>.weights" (n_out, n_in) int8, and the numbers for each column: batch norm's
        "<layer>.gamma", "beta", "mean", "variance", or an accelerator's "<layer>.thresholds"."""
        arrays = self.host_norms()
        for layer, bits in self.read().items():
            arrays |= {f"{layer}.cells": bits, f"{layer}.weights": cell_weights(bits)}
        return arrays

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Program what ``weights`` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            As ``check_weights``; nothing is changed then.
        """
        norms, cells = self._checked(arrays)
        self._set_norms(norms)
        for layer in self.weighted:
            layer.matrix.program(cells[layer.name])

    def check_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Check what ``set_weights`` takes.

        Raises
        ------
        KeyError, TypeError, ValueError
            Naming the array, if one is missing, of another type or shape, holds what no network
            has, or belongs to no layer.
        """
        self._checked(arrays)

    def _checked(self, arrays: dict[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
        """Numbers for columns, and cells by layer, of ``arrays`` that fit."""
        norms = self._norms(arrays)
        cells = {layer.name: _cells(layer, arrays) for layer in self.weighted}
        known = {f"{layer}.{what}" for layer in cells for what in ("cells", "weights")}
        for name in arrays:
            if name.startswith("layer") and name not in known | self.host_norms().keys():
                raise ValueError(f"{name} belongs to no layer of the network")
        return norms, cells

    def state(self) -> dict[str, np.ndarray]:
        """Everything that ``update`` changes: batch norms, and the state of each array."""
        arrays = self.host_norms()
        for number, array in enumerate(self.bank.arrays):
            arrays |= {f"array{number}.{name}": part for name, part in array.state().items()}
        return arrays

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a ``state``.

        Raises
        ------
        KeyError, TypeError, ValueError
            As ``check_state``; nothing is changed then.
        """
        self.check_state(state)
        self._set_norms(self._norms(state))
        for number, array in enumerate(self.bank.arrays):
            array.set_state(_parts(state, number))

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        """Check what ``set_state`` takes.

        Raises
        ------
        KeyError, TypeError, ValueError
            Naming the part, if one is missing or does not fit.
        """
        self._norms(state)
        for number, array in enumerate(self.bank.arrays):
            try:
                array.check_state(_parts(state, number))
            except KeyError as missing:
                raise KeyError(f"array{number}.{missing.args[0]}") from None
            except (TypeError, ValueError) as error:
                raise type(error)(f"array{number}.{error}") from None

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what an optimiser steps, by name; none where the hardware does that."""
        return {}

    @abstractmethod
    def host_norms(self) -> dict[str, np.ndarray]:
        """Copies of the numbers for each column, "<layer>.<what>"."""

    @abstractmethod
    def _norms(self, arrays: dict[str, np.ndarray]) -> Any:
        """Check what ``host_norms`` gave, for ``_set_norms``; raises KeyError, TypeError or
        ValueError if a part is missing or does not fit."""

    @abstractmethod
    def _set_norms(self, norms: Any) -> None:
        """Set what ``_norms`` returned."""


class Network(SynapseNetwork):
    """Layers "layer1", "layer2", ...: weights, batch norm and, but for the last, activation.

    Parameters
    ----------
    bank : ArrayBank or WholeBank
        Whence the synapses come; its table codes the pulses.
    shape : sequence of int
        Of an input, (n,) or (height, width, channels).
    blocks : sequence of golden.spec.Block
        All layers but the last.
    classes : int
        Outputs of the last layer.
    limit : int
        Of the inputs' magnitude, see ``golden.weighted.Weighted``.
    threshold, window : float
        Of the activations, see ``golden.layers.Activation``.
    steepness : float
        m of the switching probability tanh(m nu), see ``golden.ptable.encode``.
    spread : {"variance", "deviation"}
        What batch norm divides by, see ``golden.layers.BatchNorm``.
    dtype : dtype
        Of everything that is no integer.

    Raises
    ------
    TypeError, ValueError
        If blocks do not fit their inputs, or ``classes`` is no positive integer.
    """

    def __init__(
        self,
        bank: Any,
        shape: Sequence[int],
        blocks: Sequence[Block],
        classes: int,
        *,
        limit: int = 1,
        threshold: float = 0.5,
        window: float = 0.5,
        steepness: float = ptable.GXNOR_M,
        spread: str = "variance",
        dtype: DTypeLike = np.float32,
    ):
        self.bank, self.steepness, self.dtype = bank, steepness, np.dtype(dtype)
        self.backend: Backend = getattr(bank, "backend", NUMPY)
        blocks = [*blocks, Block(checks.integer("classes", classes, 1))]
        self.shapes = spec.shapes(blocks, shape)
        self.weighted: list[Weighted] = []
        self.norms: list[BatchNorm] = []
        self.layers: list[Layer] = []
        sizes = spec.matrices(blocks, shape)
        for number, (block, size) in enumerate(zip(blocks, sizes, strict=True), start=1):
            name = f"layer{number}"
            if self.layers:
                self.layers.append(Activation(threshold, window))
                limit = 1
            matrix = bank.matrix(name, *size)
            if block.kernel:
                sides = block.kernel, block.padding, block.pool
                self.weighted.append(Conv(matrix, *sides, dtype=dtype, limit=limit))
            else:
                self.weighted.append(Dense(matrix, dtype, limit))
            self.norms.append(BatchNorm(name, block.n_out, dtype, self.backend, spread))
            self.layers += [self.weighted[-1], self.norms[-1]]

    def forward(self, u: np.ndarray, *, train: bool = False) -> Any:
        """Scores (batch, classes), an array of the back end, of integers u (batch, *shape)."""
        limit = self.weighted[0].limit
        u = checks.integers("u", u, (None, *self.shapes[0]), -limit, limit)
        x = self.backend.array(u.astype(self.dtype))
        for layer in self.layers:
            x = layer.forward(x, train=train)
        return x

    def train_step(
        self, u: np.ndarray, labels: np.ndarray, optimiser: Optimiser, learning_rate: float,
        rng: np.random.Generator, *, blind: bool = False,
    ) -> Step:  # fmt: skip
        scores = self.forward(u, train=True)
        loss, gradient = squared_hinge(scores, labels)
        self.backward(gradient)
        switched = self.update(optimiser, learning_rate, rng, blind=blind)
        return Step(loss, self.backend.host(scores).argmax(axis=1), switched)

    def predict(self, u: np.ndarray) -> np.ndarray:
        size = EVALUATION_BATCH[u.ndim - 1]
        parts = range(0, len(u), size)
        scores = [self.backend.host(self.forward(u[start : start + size])) for start in parts]
        return np.concatenate(scores).argmax(axis=1)

    def backward(self, gradient: Any) -> None:
        """Propagate the gradient at the scores of the last training ``forward``.

        The first layer's errors are of no use, so its array is not read.
        """
        for layer in reversed(self.layers[1:]):
            gradient = layer.backward(gradient)
        self.weighted[0].keep(gradient)

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
        table = self.bank.table
        for layer in self.weighted:
            code = (table, rng, self.steepness)
            matrix = layer.matrix
            if not isinstance(optimiser, Gradient):
                change = optimiser.step(f"{layer.name}.weight", layer.gradient(), learning_rate)
                switched += matrix.change(change, *code, blind=blind)
                continue
            if optimiser.dead_zone:
                change = optimiser.thresholded(layer.total(), layer.spread(), learning_rate)
                switched += matrix.change(change, *code, blind=blind, sparse=True)
                continue
            factor = optimiser.factor(layer.spread(), learning_rate)
            if isinstance(matrix, WholeMatrix) and isinstance(layer, Dense):
                d, u = layer.factors()
                switched += matrix.change_by(d, u, layer.limit, *code, blind=blind, factor=factor)
            else:
                switched += matrix.change(factor * layer.total(), *code, blind=blind)
        for norm in self.norms:
            for name, gradient in norm.gradients.items():
                change = optimiser.step(f"{norm.name}.{name}", gradient, learning_rate)
                norm.parameters[name] += change
        return switched

    def norm_arrays(self) -> dict[str, Any]:
        """Batch norm parameters and statistics, "<layer>.<what>"; the back end's arrays
        themselves."""
        return {
            f"{norm.name}.{what}": array
            for norm in self.norms
            for what, array in (norm.parameters | norm.statistics).items()
        }

    def host_norms(self) -> dict[str, np.ndarray]:
        arrays = self.norm_arrays()
        return {name: self.backend.host(array).copy() for name, array in arrays.items()}

    def parameters(self) -> dict[str, tuple[int, ...]]:
        matrices = {layer.name: layer.matrix for layer in self.weighted}
        weights = {f"{name}.weight": (m.n_out, m.n_in) for name, m in matrices.items()}
        norms = {
            f"{norm.name}.{name}": tuple(array.shape)
            for norm in self.norms
            for name, array in norm.parameters.items()
        }
        return weights | norms

    def _norms(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        new = {name: self._norm(name, arrays[name]) for name in self.norm_arrays()}
        for name, array in self.norm_arrays().items():
            if new[name].shape != tuple(array.shape):
                shape = tuple(array.shape)
                raise ValueError(f"{name} must have shape {shape}, not {new[name].shape}")
        return new

    def _set_norms(self, norms: dict[str, np.ndarray]) -> None:
        for name, array in self.norm_arrays().items():
            array[:] = self.backend.array(norms[name])

    def _norm(self, name: str, value: Any) -> np.ndarray:
        """Numbers for columns in the network's type, checked."""
        kind = np.asarray(value).dtype
        if kind.kind != "f":
            raise TypeError(f"{name} must hold floating-point numbers, not {kind}")
        checks.finite(name, value, 1)
        with np.errstate(over="ignore"):
            array = checks.finite(name, value.astype(self.dtype), 1)
        if name.endswith(".variance") and (array < 0).any():
            at = int(np.argmax(array < 0))
            raise ValueError(f"{name}[{at}] must be at least 0, not {array[at]}")
        return array


def _parts(state: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """An array's part of a network's state."""
    prefix = f"array{number}."
    return {n.removeprefix(prefix): part for n, part in state.items() if n.startswith(prefix)}


def _cells(layer: Any, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The cells of a layer from a network's weights, checked against what they say of the
    weights."""
    matrix, name = layer.matrix, f"{layer.name}.weights"
    shape = (matrix.n_out, matrix.n_in, matrix.config.cells)
    cells = checks.integers(f"{layer.name}.cells", arrays[f"{layer.name}.cells"], shape, 0, 1)
    if name in arrays:
        weights = checks.integers(name, arrays[name], shape[:2], -1, 1)
        differ = weights != cell_weights(cells.astype(bool))
        if differ.any():
            row, col = (int(i) for i in np.argwhere(differ)[0])
            raise ValueError(f"{name}[{row}, {col}] = {weights[row, col]} is not its cells' weight")
    return cells


def populations(bits: np.ndarray) -> dict[str, int]:
    """How many synapses are in which state, from cell bits of shape (..., cells)."""
    names = STATES["ternary" if bits.shape[-1] == 2 else "binary"]
    counts = np.bincount(cell_states(bits).ravel(), minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
