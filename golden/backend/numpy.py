"""The protocol of back ends, and numpy; PyTorch is ``golden.backend.torch``.

Layers, losses and optimisers are written once, with functions that numpy and the array API standard
share; ``namespace`` finds them. A back end has the functions that are not in the standard. Random
numbers are numpy's for all back ends: with thinning there are few of them.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from golden import checks
from golden.backend import memory, pooling

BACKENDS = ("numpy", "torch", "cuda")
AUTO = "auto"  # as a back end: PyTorch on the CPU where it is installed, else numpy
PRODUCTS = (AUTO, "int8", "float32")

Tensor: TypeAlias = Any
"""An array of a back end: numpy's or PyTorch's."""


def namespace(x: Tensor) -> Any:
    """The module of array functions for ``x``."""
    if isinstance(x, np.ndarray):
        return np
    from array_api_compat import array_namespace

    return array_namespace(x)


@dataclass(frozen=True)
class Scaled:
    """Whole numbers times a scale: errors, or the gradient of weights, before the product."""

    whole: Tensor
    scale: float

    def astype(self, kind: str) -> Tensor:
        """The product, rounded to floats of a type."""
        xp = namespace(self.whole)
        product = xp.astype(self.whole, xp.float64, copy=False) * self.scale
        return xp.astype(product, getattr(xp, kind), copy=False)


class Backend(Protocol):
    """Functions of a back end besides the array API.

    Attributes
    ----------
    name : str
    small : str
        Name of the type of weights, trits, inputs, and errors of up to 8 bits; "" where they are
        floats of the network's type.
    operations : object or None
        Passes over whole numbers, see ``golden.backend.torch.operations.Operations``.
    products : object or None
        Products of whole numbers, see ``golden.backend.torch.products.Products``.
    """

    name: str
    small: str
    operations: Any
    products: Any

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
    small, operations, products = "", None, None

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


def resolved(name: str) -> str:
    """``name``, one of ``BACKENDS``, or the one that "auto" stands for on this computer.

    Raises
    ------
    ValueError
        If there is no back end of this name.
    """
    if name == AUTO:
        there = all(importlib.util.find_spec(package) for package in ("torch", "array_api_compat"))
        return "torch" if there else "numpy"
    return checks.choice("backend", name, BACKENDS)


def load(name: str, products: str = AUTO) -> Backend:
    """The back end ``name``: "numpy", "torch" (on the CPU), "cuda" (PyTorch on a GPU) or "auto".

    Parameters
    ----------
    products : {"auto", "int8", "float32"}
        How PyTorch multiplies whole numbers, see ``golden.backend.torch.products.choose``. All ways
        give the same bits.

    Raises
    ------
    ValueError
        If there is no back end of this name, no GPU, or no such products.
    ModuleNotFoundError
        If PyTorch is not installed.
    """
    name = resolved(name)
    memory.keep()
    checks.choice("products", products, PRODUCTS)
    if name == "numpy":
        if products != AUTO:
            raise ValueError(f"products {products} needs backend torch or cuda, not numpy")
        return NUMPY
    from golden.backend.torch import Torch

    return Torch("cpu" if name == "torch" else name, products)
