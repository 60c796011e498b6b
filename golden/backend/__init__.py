"""Back ends for the arrays of a network: numpy, or PyTorch on a CPU or GPU."""

from golden.backend.numpy import BACKENDS, NUMPY, Backend, Numpy, Tensor, load, namespace

__all__ = ["BACKENDS", "NUMPY", "Backend", "Numpy", "Tensor", "load", "namespace"]
