"""The layers of weights: sums, errors and weight gradients of synapse matrices."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from golden import checks
from golden.array.frames import Op
from golden.backend import NUMPY, Backend, Scaled, Tensor, namespace
from golden.matrix.interface import HostMatrix
from golden.matrix.whole import WholeMatrix
from golden.network.layers import Layer


class SynapseLayer(Layer):
    """A layer whose weights are a synapse matrix.

    The gradient at the sums is quantised to signed integers d, the errors of a backward read, with
    one scale for the batch: d = round(g / scale), half to even, scale = max|g| / ``max_error``. The
    inputs u and d of the batch are stored, nothing else. They give the errors e = d w and the
    weight gradient d^T u, both exact integers times the scale. The paper's array takes errors as
    fixed-point numbers; this choice of the scale is ours.

    Parameters
    ----------
    matrix : SynapseMatrix or WholeMatrix
        n_in x n_out synapses.
    dtype : dtype
        Type of all numbers that are not integers.
    limit : int
        Largest magnitude of the inputs: 1 for trits, or 2^bits - 1, read as ``bits`` vectors of
        trits.
    """

    def __init__(self, matrix: HostMatrix, dtype: DTypeLike = np.float32, limit: int = 1):
        self.matrix: HostMatrix = matrix
        self.name, self.dtype = matrix.name, np.dtype(dtype)
        self.limit = limit
        # Arrays compute with integers, a whole matrix with its back end's floats.
        self._whole = matrix if isinstance(matrix, WholeMatrix) else None
        self.backend: Backend = getattr(matrix, "backend", NUMPY)
        self._integers = not hasattr(matrix, "backend")
        self._products = self.backend.products if self._whole else None
        self._scale = 0.0

    def _sums(self, u: Tensor) -> Tensor:
        """Sums (n, n_out) of inputs (n, n_in)."""
        if self._integers:
            return self.matrix.forward(u.astype(np.int8), self.limit).astype(self.dtype)
        return self.matrix.forward(u, self.limit)

    def _errors(self, d: Tensor) -> Tensor:
        """Unscaled errors (n, n_in) of d (n, n_out), whole numbers of any type."""
        return self.matrix.backward(d.astype(np.int32) if self._integers else d)

    def _scaled(self, errors: Tensor) -> Tensor:
        if self._products:
            return Scaled(errors, self._scale)
        xp = namespace(errors)
        return xp.astype(errors * self._scale, getattr(xp, self.dtype.name))

    def _quantised(self, gradient: Tensor, shape: tuple[int, ...]) -> Tensor:
        """d, whole numbers, from the gradient at the sums; keeps the scale.

        Raises
        ------
        TypeError, ValueError
            If the gradient is not finite or not of ``shape``.
        """
        xp = namespace(gradient)
        if xp is np:
            gradient = checks.finite("gradient", gradient, len(shape))
        if tuple(gradient.shape) != shape:
            raise ValueError(f"gradient must have shape {shape}, not {tuple(gradient.shape)}")
        limit, largest = self.matrix.config.max_error, 0.0
        if len(gradient):
            own = self.backend.operations if self._products else None
            largest = own.largest(gradient) if own else float(xp.max(xp.abs(gradient)))
        if not np.isfinite(largest):
            raise ValueError(f"gradient must be finite, not {largest}")
        self._scale = largest / limit
        if self._products:
            return self.backend.operations.quantise(gradient, self._scale or 1.0, limit)
        kind = getattr(xp, self.dtype.name)
        if self._scale == 0:
            return xp.zeros_like(gradient, dtype=kind)
        # The clip matters only if the scale is a denormal number and therefore inexact.
        scaled = xp.round(xp.astype(gradient, xp.float64) / self._scale)
        return xp.astype(xp.clip(scaled, -limit, limit), kind)

    def _product(self, d: Tensor, u: Tensor) -> Tensor:
        """d^T u, exact."""
        if self._products:
            return self._products.multiply(d.T, u, self._largest(d, self._products.limit))
        xp = namespace(d)
        exact = xp.float32 if self._largest(d, 1 << 24) < 1 << 24 else xp.float64
        return xp.astype(d, exact, copy=False).T @ xp.astype(u, exact, copy=False)

    def _largest(self, d: Tensor, limit: int) -> int:
        """A bound of the sums of d (..., n_out) times inputs: the nearest one if a simple one is
        not below ``limit``."""
        xp = namespace(d)
        largest = d.size // d.shape[-1] if xp is np else d.numel() // d.shape[-1]
        largest *= (self.matrix.config.max_error + 1) * self.limit
        if largest >= limit:
            sizes = xp.astype(d.reshape(-1, d.shape[-1]), xp.float64)
            largest = int(xp.max(xp.sum(xp.abs(sizes), axis=0))) * self.limit
        return int(largest)

    @abstractmethod
    def keep(self, gradient: Tensor) -> None:
        """Quantise and keep the gradient at the outputs, without reading the array.

        Raises
        ------
        TypeError, ValueError
            If it is not finite or its shape differs from the outputs of the last training
            ``forward``.
        """

    @abstractmethod
    def total(self) -> Tensor:
        """d^T u of the batch, exact whole numbers, (n_out, n_in)."""

    @abstractmethod
    def spread(self) -> float:
        """Mean square of ``total`` if the signs of its terms were independent.

        It is sum_b |d_b|^2 |u_b|^2 / (n_out n_in): the norms of the batch's vectors are enough.
        """

    def _spread(self, d: Tensor, norms: Tensor) -> float:
        """``spread`` from d (n, n_out) and the squared norms of the inputs, (n,)."""
        xp = namespace(d)
        total = float(xp.sum(self._norms(d) * norms))
        return total / (self.matrix.n_in * self.matrix.n_out)

    def _norms(self, x: Tensor) -> Tensor:
        """Squared norms of whole numbers x (n, m)."""
        if self._products:
            return self.backend.operations.norms(x)
        xp = namespace(x)
        x = xp.astype(x, self.dtype, copy=False)
        return xp.vecdot(x, x)

    def gradient(self) -> Tensor | Scaled:
        """Loss gradient at the weights, d^T u times the scale: (n_out, n_in)."""
        gradient = Scaled(self.total(), self._scale)
        return gradient if self._products else gradient.astype(self.dtype.name)


class Dense(SynapseLayer):
    """s = u w^T in a synapse matrix; images are flattened. See ``SynapseLayer``."""

    def __init__(self, matrix: HostMatrix, dtype: DTypeLike = np.float32, limit: int = 1):
        super().__init__(matrix, dtype, limit)
        self._u: Tensor = np.zeros((0, matrix.n_in), np.int8)
        self._d: Tensor = np.zeros((0, matrix.n_out), self.dtype)
        self._shape: tuple[int, ...] = (0, matrix.n_in)

    def forward(self, x: Tensor, *, train: bool) -> Tensor:
        """Sums s (batch, n_out) of inputs (batch, ...)."""
        u = x.reshape(len(x), -1) if x.ndim > 2 else x
        if train:
            self._u, self._shape = u, tuple(x.shape)
        return self._sums(u)

    def keep(self, gradient: Tensor) -> None:
        self._d = self._quantised(gradient, (len(self._u), self.matrix.n_out))

    def backward(self, gradient: Tensor) -> Tensor:
        """Keep the gradient and propagate it: e in the inputs' shape."""
        self.keep(gradient)
        return self._scaled(self._errors(self._d).reshape(self._shape))

    def total(self) -> Tensor:
        return self._product(self._d, self._u)

    def spread(self) -> float:
        return self._spread(self._d, self._norms(self._u))

    def factors(self) -> tuple[Tensor, Tensor]:
        """d (batch, n_out) and u (batch, n_in) of ``total``."""
        return self._d, self._u


class Conv(SynapseLayer):
    """Convolution in a synapse matrix, then max pooling of its sums. See ``SynapseLayer``.

    Each patch of the image is an input vector: n_in = kernel^2 channels, in the order (y, x,
    channel). The stride is 1; the image is padded with zeros. If the largest sum of a pool occurs
    several times, the first one gets the gradient. Rows and columns that fill no pool are left out.

    Parameters
    ----------
    matrix, dtype, limit
        See ``SynapseLayer``.
    kernel, padding, pool : int
        Side of the patches; rows of zeros at each side; side of the pools, 1 for none.
    """

    def __init__(
        self,
        matrix: HostMatrix,
        kernel: int,
        padding: int = 0,
        pool: int = 1,
        dtype: DTypeLike = np.float32,
        limit: int = 1,
    ):
        super().__init__(matrix, dtype, limit)
        self.kernel = checks.integer("kernel", kernel, 1)
        self.padding = checks.integer("padding", padding, 0)
        self.pool = checks.integer("pool", pool, 1)
        self._x: Tensor = None
        self._patches: Tensor = None  # or what the products keep
        self._d: Tensor = None
        self._best: Tensor = None
        self._shape: tuple[int, ...] = ()

    def forward(self, x: Tensor, *, train: bool) -> Tensor:
        """Pooled sums (batch, height, width, n_out) of images (batch, y, x, channels)."""
        sides = self.kernel, self.padding
        if self._products:
            largest = self.matrix.n_in * self.limit
            sums, kept = self._products.convolve(x, self._weights, *sides, largest)
            self._count(Op.FORWARD, sums, lambda: self._host_patches(x), self.limit)
        else:
            kept = NUMPY.unfold(x, *sides)
            sums = self._sums(kept.reshape(-1, self.matrix.n_in))
            sums = sums.reshape(*kept.shape[:3], self.matrix.n_out)
        pooled = sums
        if self.pool > 1:
            pooled, self._best = self.backend.pool(sums, self.pool)
        if train:
            self._x, self._shape, self._patches = x, tuple(sums.shape), kept
        return pooled

    @property
    def _weights(self) -> Tensor:
        assert self._whole
        return self._whole.weights

    def _host_patches(self, x: Tensor) -> np.ndarray:
        patches = NUMPY.unfold(self.backend.host(x), self.kernel, self.padding)
        return patches.reshape(-1, self.matrix.n_in)

    def _count(self, op: Op, sums: Tensor, drives: Callable[[], np.ndarray], limit: int) -> None:
        batch, height, width, _ = sums.shape
        assert self._whole
        self._whole.counted(op, batch * height * width, drives, limit)

    def keep(self, gradient: Tensor) -> None:
        batch, height, width, n_out = self._shape
        shape = (batch, height // self.pool, width // self.pool, n_out)
        self._d = self._quantised(gradient, shape)
        if self.pool > 1:
            self._d = self.backend.unpool(self._d, self._best, self._shape, self.pool)

    def backward(self, gradient: Tensor) -> Tensor:
        """Keep the gradient and propagate it: e in the images' shape."""
        self.keep(gradient)
        shape, sides = tuple(self._x.shape), (self.kernel, self.padding)
        if self._products:
            d = self.backend.host
            self._count(Op.BACKWARD, self._d, lambda: d(self._d).reshape(-1, self._shape[-1]), 1)
            largest = (self.matrix.n_out * self.kernel**2) * (self.matrix.config.max_error + 1)
            errors = self._products.errors(self._d, shape, self._weights, *sides, largest)
            return self._scaled(errors)
        errors = self._errors(self._d.reshape(-1, self.matrix.n_out))
        errors = errors.reshape(*self._shape[:3], -1)
        return self._scaled(NUMPY.fold(errors, shape, *sides))

    def total(self) -> Tensor:
        if self._products:
            largest = self._largest(self._d, self._products.limit)
            sides = self.kernel, self.padding
            return self._products.total(self._d, self._patches, *sides, largest)
        patches = self._patches.reshape(-1, self.matrix.n_in)
        return self._product(self._d.reshape(-1, self.matrix.n_out), patches)

    def spread(self) -> float:
        d = self._d.reshape(-1, self.matrix.n_out)
        if self._products:
            norms = self._products.gathered(self._norms(self._x), self.kernel, self.padding)
            return self._spread(d, norms.reshape(-1))
        return self._spread(d, self._norms(self._patches.reshape(-1, self.matrix.n_in)))
