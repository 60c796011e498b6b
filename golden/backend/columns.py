"""What batch norm and activation do to a column of sums."""

from dataclasses import dataclass

from golden.backend.numpy import Tensor


@dataclass(frozen=True)
class Columns:
    """y = gamma (x - mean) inverse + beta, and the activation's steps.

    Parameters
    ----------
    mean, inverse, gamma, beta : float32 arrays of shape (n_out,)
        ``inverse`` is that of the standard deviation.
    threshold, window : float
        See ``golden.network.layers.Activation``.
    """

    mean: Tensor
    inverse: Tensor
    gamma: Tensor
    beta: Tensor
    threshold: float
    window: float
