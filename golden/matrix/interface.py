"""Protocols of matrices, banks of arrays and layers for training.

Matrices in arrays, whole matrices and those of an accelerator follow them.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from golden.array.protocols import CellArray
from golden.backend import Backend, Tensor
from golden.config import ArrayConfig
from golden.matrix.reads import Reads
from golden.pulse.table import GXNOR_M, ProbabilityTable


class Matrix(Protocol):
    """The weights of a layer, (n_in, n_out).

    Attributes
    ----------
    reads : golden.matrix.reads.Reads or None
        Counter of the reads of its cells, if any.
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
        """Switch cells at random, the effect of reading or time. Returns the cells switched."""


class HostMatrix(Matrix, Protocol):
    """A matrix that the host reads and pulses, with integers or arrays of a back end."""

    def forward(self, u: Tensor, limit: int = 1) -> Tensor:
        """Sums (batch, n_out) of inputs u (batch, n_in) in [-limit, limit]."""

    def backward(self, d: Tensor) -> Tensor:
        """Errors (batch, n_in) of errors d (batch, n_out)."""

    def change(
        self,
        change: Tensor,
        table: ProbabilityTable,
        rng: np.random.Generator,
        steepness: float = GXNOR_M,
        *,
        blind: bool = False,
        sparse: bool = False,
    ) -> int:
        """Code real-valued weight changes (n_out, n_in) and pulse. Returns the cells switched."""


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
        """The arrays in their order."""

    @property
    def matrices(self) -> Sequence[Matrix]:
        """The matrices in the order of the layers."""

    def cycles(self) -> int:
        """Clock cycles of the commands of all arrays."""

    def used(self, number: int) -> int:
        """Columns of array ``number`` that belong to a matrix, from the first on."""

    def counting(self, batch: int) -> bool:
        """Switch the counting of activity for batch ``batch``, from 1 on; 0 is no batch.

        Returns whether the batch is counted.
        """


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
