"""Weight matrices of any size on arrays of one size, or computed as a whole."""

from golden.matrix.interface import Bank, HostBank, HostMatrix, Matrix
from golden.matrix.tiled import ArrayBank, SynapseMatrix
from golden.matrix.whole import WholeMatrix
from golden.matrix.whole_bank import WholeBank

__all__ = [
    "ArrayBank",
    "Bank",
    "HostBank",
    "HostMatrix",
    "Matrix",
    "SynapseMatrix",
    "WholeBank",
    "WholeMatrix",
]
