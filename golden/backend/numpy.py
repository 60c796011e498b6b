"""The protocol of back ends, and numpy; PyTorch is ``golden.backend.torch``.

Layers, losses and optimisers are written once, with functions that numpy and the array API standard
share; ``namespace`` finds them. A back end has the functions that are not in the standard. Random
numbers are numpy's for all back ends: with thinning there are few of them.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from golden import checks
from golden.backend import pooling

BACKENDS = ("numpy", "torch", "cuda")

Tensor: TypeAlias = Any
"""An array of a back end: numpy's or PyTorch's."""


def namespace(x: Tensor) -> Any:
    """The module of array functions for ``x``."""
    if isinstance(x, np.ndarray):
        return np
    from array_api_compat import array_namespace

    return array_namespace(x)


class Backend(Protocol):
    """Functions of a back end besides the array API."""

    name: str

    def array(self, x: np.ndarray) -> Tensor:
        """``x`` as an array of the back end, of the same type."""

    def host(self, x: Tensor) -> np.ndarray:
        """An array of the back end as numpy's."""

    def take(self, x: Tensor, at: np.ndarray) -> np.ndarray:
        """The entries of ``x`` at flat indices, in numpy."""

    def nonzero(self, x: Tensor) -> np.ndarray:
        """Flat indices of the entries of ``x`` that are not 0, in numpy."""

    def put(self, x: Tensor, at: np.ndarray, values: np.ndarray) -> None:
        """Write ``values`` to flat indices of ``x``."""

    def extremes(self, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest entry of each row of x (n, m), float64 in numpy."""

    def pool(self, x: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Max pooling, and an argument for ``unpool``; see ``golden.backend.pooling.pool``."""

    def unpool(self, y: Tensor, best: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
        """Inverse of ``pool``, see ``golden.backend.pooling.unpool``."""


class Numpy:
    """The numpy back end; convolutions are products of unfolded patches."""

    name = "numpy"

    def array(self, x: np.ndarray) -> np.ndarray:
        return x

    def host(self, x: np.ndarray) -> np.ndarray:
        return x

    def take(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        taken: np.ndarray = x.reshape(-1)[at]
        return taken

    def nonzero(self, x: np.ndarray) -> np.ndarray:
        return np.flatnonzero(x)

    def put(self, x: np.ndarray, at: np.ndarray, values: np.ndarray) -> None:
        x.reshape(-1)[at] = values

    def extremes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x.min(axis=1).astype(np.float64), x.max(axis=1).astype(np.float64)

    def unfold(self, x: np.ndarray, kernel: int, padding: int) -> np.ndarray:
        """Patches (batch, height, width, kernel^2 channels) of images (batch, y, x, channels)
        with zeros around them."""
        if padding:
            x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        windows = sliding_window_view(x, (kernel, kernel), axis=(1, 2))
        windows = windows.transpose(0, 1, 2, 4, 5, 3)
        return windows.reshape(*windows.shape[:3], -1)

    def fold(
        self, patches: np.ndarray, shape: tuple[int, ...], kernel: int, padding: int
    ) -> np.ndarray:
        """Images of ``shape``, sums of patches at their places: the transpose of ``unfold``."""
        batch, height, width, channels = shape
        full = (batch, height + 2 * padding, width + 2 * padding, channels)
        image = np.zeros(full, patches.dtype)
        patches = patches.reshape(*patches.shape[:3], kernel, kernel, channels)
        rows, cols = patches.shape[1:3]
        for y in range(kernel):
            for x in range(kernel):
                image[:, y : y + rows, x : x + cols] += patches[:, :, :, y, x]
        return image[:, padding : padding + height, padding : padding + width]

    def pool(self, x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        return pooling.pool(x, side)

    def unpool(
        self, y: np.ndarray, best: np.ndarray, shape: tuple[int, ...], side: int
    ) -> np.ndarray:
        return pooling.unpool(y, best, shape, side)


NUMPY = Numpy()


def load(name: str) -> Backend:
    """The back end ``name``: "numpy", "torch" (on the CPU) or "cuda" (PyTorch on a GPU).

    Raises
    ------
    ValueError
        If there is no back end of this name, or no GPU.
    ModuleNotFoundError
        If PyTorch is not installed.
    """
    if checks.choice("backend", name, BACKENDS) == "numpy":
        return NUMPY
    from golden.backend.torch import Torch

    return Torch("cpu" if name == "torch" else name)
