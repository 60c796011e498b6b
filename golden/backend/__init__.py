"""Back ends for the arrays of a network: numpy, or PyTorch on a CPU or GPU."""

from golden.backend.numpy import (
    AUTO,
    BACKENDS,
    NUMPY,
    PRODUCTS,
    Backend,
    Numpy,
    Scaled,
    Tensor,
    load,
    namespace,
    resolved,
)

__all__ = [
    "AUTO", "BACKENDS", "NUMPY", "PRODUCTS", "Backend", "Numpy", "Scaled", "Tensor", "load",
    "namespace", "resolved",
]  # fmt: skip
