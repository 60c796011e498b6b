"""The interface of a network for a trainer; a host or an accelerator may train it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from golden import checks
from golden.backend import NUMPY, Backend
from golden.codes import STATES, cell_states, cell_weights
from golden.matrix.interface import Bank, MatrixLayer


class Step(NamedTuple):
    """Result of a training step.

    Parameters
    ----------
    loss : float
        Mean over the batch.
    classes : ndarray of shape (batch,), integer
        Classes with the largest score.
    switched : int
        Cells switched.
    """

    loss: float
    classes: np.ndarray
    switched: int


class SynapseNetwork(ABC):
    """A network as a trainer sees it.

    The weights are in the matrices of ``synapse_layers``, on the arrays of ``bank``. Each column
    has a few more numbers, those of batch norm or of an accelerator's thresholds.
    """

    bank: Bank
    backend: Backend = NUMPY
    synapse_layers: Sequence[MatrixLayer]

    def initialise(self, rng: np.random.Generator, density: float) -> None:
        """Program random weights.

        Ternary: each weight is non-zero with probability ``density``. +1 and -1 are equally likely,
        and so are the zeros 0w and 0s. Binary: +1 and -1 are equally likely; ``density`` has no
        effect.
        """
        for layer in self.synapse_layers:
            matrix = layer.matrix
            shape = (matrix.n_out, matrix.n_in)
            bits = rng.integers(0, 2, (*shape, matrix.config.cells), dtype=np.uint8)
            if matrix.config.cells == 2:
                bits[..., 1] = bits[..., 0] ^ (rng.random(shape) < density)
            matrix.program(bits)

    @abstractmethod
    def train_step(self, u: np.ndarray, labels: np.ndarray, learning_rate: float) -> Step:
        """Forward, backward and update on a batch."""

    @abstractmethod
    def predict(self, u: np.ndarray) -> np.ndarray:
        """Classes (N,) of integers (N, *shape): the largest score, the first of equals."""

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare the state outside the arrays with a second copy; by default there is none."""

    def read(self) -> dict[str, np.ndarray]:
        """Cell bits of every layer, bool, (n_out, n_in, cells)."""
        return {layer.name: layer.matrix.read() for layer in self.synapse_layers}

    def weights(self) -> dict[str, np.ndarray]:
        """Arrays for inference by name.

        - "<layer>.cells": (n_out, n_in, cells), bool.
        - "<layer>.weights": (n_out, n_in), int8.
        - Numbers for each column: "<layer>.gamma", "beta", "mean" and "variance" of batch norm, or
          "<layer>.thresholds" of an accelerator.
        """
        arrays = self.host_norms()
        for layer, bits in self.read().items():
            arrays |= {f"{layer}.cells": bits, f"{layer}.weights": cell_weights(bits)}
        return arrays

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Program arrays from ``weights``.

        Raises
        ------
        KeyError, TypeError, ValueError
            As ``check_weights``; nothing is changed then.
        """
        norms, cells = self._checked(arrays)
        self._set_norms(norms)
        for layer in self.synapse_layers:
            layer.matrix.program(cells[layer.name])

    def check_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Check arrays for ``set_weights``.

        Raises
        ------
        KeyError, TypeError, ValueError
            If an array is missing, has a wrong type, shape or value, or belongs to no layer; the
            message names it.
        """
        self._checked(arrays)

    def _checked(self, arrays: dict[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
        """Numbers for columns, and cells by layer, from ``arrays``, checked."""
        norms = self._norms(arrays)
        cells = {layer.name: _cells(layer, arrays) for layer in self.synapse_layers}
        known = {f"{layer}.{what}" for layer in cells for what in ("cells", "weights")}
        for name in arrays:
            if name.startswith("layer") and name not in known | self.host_norms().keys():
                raise ValueError(f"{name} belongs to no layer of the network")
        return norms, cells

    def state(self) -> dict[str, np.ndarray]:
        """All that training changes: numbers for columns, and the state of each array."""
        arrays = self.host_norms()
        for number, array in enumerate(self.bank.arrays):
            arrays |= {f"array{number}.{name}": part for name, part in array.state().items()}
        return arrays

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore a ``state``.

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
        """Check a state for ``set_state``.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a part is missing or does not fit; the message names it.
        """
        self._norms(state)
        for number, array in enumerate(self.bank.arrays):
            try:
                array.check_state(_parts(state, number))
            except KeyError as missing:
                raise KeyError(f"array{number}.{missing.args[0]}") from None
            except (TypeError, ValueError) as error:
                raise type(error)(f"array{number}.{error}") from None

    def generators(self) -> dict[str, np.random.Generator]:
        """Random generators of training on the host by name, for a checkpoint."""
        return {}

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """The optimiser's memory; empty if the hardware computes the steps."""
        return {}

    def check_optimiser_state(self, state: dict[str, np.ndarray]) -> None:
        """Raise TypeError or ValueError if an ``optimiser_state`` does not fit."""
        for name in state:
            raise ValueError(f"{name} belongs to no parameter")

    def set_optimiser_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore an ``optimiser_state``; raises as ``check_optimiser_state``."""
        self.check_optimiser_state(state)

    @abstractmethod
    def host_norms(self) -> dict[str, np.ndarray]:
        """Copies of the numbers for each column, "<layer>.<what>"."""

    @abstractmethod
    def _norms(self, arrays: dict[str, np.ndarray]) -> Any:
        """Numbers for columns in ``arrays``, checked, for ``_set_norms``.

        Raises KeyError, TypeError or ValueError if a part is missing or does not fit.
        """

    @abstractmethod
    def _set_norms(self, norms: Any) -> None:
        """Set numbers for columns that ``_norms`` returned."""


def _parts(state: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """An array's part of a network's state."""
    prefix = f"array{number}."
    return {n.removeprefix(prefix): part for n, part in state.items() if n.startswith(prefix)}


def _cells(layer: MatrixLayer, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The cells of a layer, checked; the array of its weights must agree with them, if any."""
    matrix, name = layer.matrix, f"{layer.name}.weights"
    shape = (matrix.n_out, matrix.n_in, matrix.config.cells)
    cells = checks.integers(f"{layer.name}.cells", arrays[f"{layer.name}.cells"], shape, 0, 1)
    if name in arrays:
        weights = checks.integers(name, arrays[name], shape[:2], -1, 1)
        differ = weights != cell_weights(cells.astype(bool))
        if differ.any():
            row, col = (int(i) for i in np.argwhere(differ)[0])
            raise ValueError(
                f"{name}[{row}, {col}] = {weights[row, col]} differs from its cells' weight"
            )
    return cells


def populations(bits: np.ndarray) -> dict[str, int]:
    """Number of synapses in each state, from cell bits of shape (..., cells)."""
    names = STATES["ternary" if bits.shape[-1] == 2 else "binary"]
    counts = np.bincount(cell_states(bits).ravel(), minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
