"""Protocols: what training asks of matrices, of banks of arrays and of layers.

Matrices in arrays, whole matrices and those of an accelerator have them.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from golden.array.protocols import CellArray
from golden.backend import Backend
from golden.config import ArrayConfig
from golden.matrix.reads import Reads
from golden.pulse.table import GXNOR_M, ProbabilityTable


class Matrix(Protocol):
    """The weights of a layer, (n_in, n_out), wherever their cells are.

    Attributes
    ----------
    reads : golden.matrix.reads.Reads or None
        Counts the reads of its cells, if there is one.
    """

    name: str
    n_in: int
    n_out: int
    config: ArrayConfig
    reads: Reads | None

    def program(self, bits: np.ndarray) -> None:
        """Write cell bits of shape (n_out, n_in, cells)."""

    def read(self) -> np.ndarray:
        """Cell bits, (n_out, n_in, cells), bool."""

    def age(self, thresholds: np.ndarray) -> int:
        """Let cells switch as reading or time makes them. Returns cells switched."""


class HostMatrix(Matrix, Protocol):
    """A matrix whose sums and pulses the host asks for; integers, or arrays of a back end."""

    def forward(self, u: Any, limit: int = 1) -> Any:
        """Sums (batch, n_out) of inputs u (batch, n_in) in [-limit, limit]."""

    def backward(self, d: Any) -> Any:
        """Errors (batch, n_in) of errors d (batch, n_out)."""

    def change(
        self,
        change: Any,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        sparse: bool = False,
    ) -> int:
        """Code real-valued weight changes (n_out, n_in) and pulse. Returns cells switched."""


class Bank(Protocol):
    """The arrays of a network, all of one configuration.

    Attributes
    ----------
    table : ProbabilityTable
        Loaded into each array.
    size : int
        Number of arrays.
    """

    config: ArrayConfig
    table: ProbabilityTable
    size: int

    @property
    def arrays(self) -> Sequence[CellArray]:
        """In their order."""

    @property
    def matrices(self) -> Sequence[Matrix]:
        """In the order of the layers."""

    def cycles(self) -> int:
        """Clock cycles of all arrays' commands."""

    def used(self, number: int) -> int:
        """Columns of array ``number`` that belong to a matrix, from the first on."""

    def counting(self, batch: int) -> bool:
        """Count the activity of batch ``batch``, from 1 (0: of none), if it is to be counted.
        Returns whether it is."""


class HostBank(Bank, Protocol):
    """A bank that makes the matrices of a network which the host trains."""

    backend: Backend

    def matrix(self, name: str, n_in: int, n_out: int) -> HostMatrix:
        """A new matrix of ``n_in`` x ``n_out`` synapses."""


class MatrixLayer(Protocol):
    """A layer of weights."""

    name: str

    @property
    def matrix(self) -> Matrix:
        """Its weights."""
