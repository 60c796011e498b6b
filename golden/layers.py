"""The layers of a gated-XNOR network and its loss.

A layer is dense -> batch norm -> activation; the last one has no activation, so its scores are
batch-normalised sums. The dense product, forward and backward, is the synapse array's; the rest
is the host's. Source: GXNOR-Net, Deng et al., Neural Networks 100, 2018, and its published code.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import DTypeLike

from golden import checks
from golden.matrix import SynapseMatrix

BN_EPSILON = 1e-4  # GXNOR's published code
BN_ALPHA = 0.1  # weight of the newest batch in the running statistics, GXNOR's published code


class Layer(ABC):
    """One step of the network. ``forward`` with ``train`` keeps what ``backward`` needs."""

    @abstractmethod
    def forward(self, x: np.ndarray, *, train: bool) -> np.ndarray:
        """Outputs (batch, n_out) of inputs (batch, n_in)."""

    @abstractmethod
    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Loss gradient at the inputs (batch, n_in) from that at the outputs (batch, n_out)."""


class Dense(Layer):
    """s = u w^T in a synapse matrix.

    The gradient is quantised to the signed integers d that the array reads with, one scale for the
    batch: d = round(g / scale), half to even, scale = max|g| / ``max_error``. From the batch's u
    and d alone follow the errors e = d w and the weight gradient d^T u, both exact integers times
    the scale: nothing else is stored. The paper's array takes errors as fixed-point numbers; this
    choice of the scale is ours.

    Parameters
    ----------
    matrix : SynapseMatrix
        n_in x n_out synapses.
    dtype : dtype
        Of everything that is no integer.
    """

    def __init__(self, matrix: SynapseMatrix, dtype: DTypeLike = np.float32):
        self.matrix, self.name, self.dtype = matrix, matrix.name, np.dtype(dtype)
        self._u = np.zeros((0, matrix.n_in), np.int8)
        self._d = np.zeros((0, matrix.n_out), np.int32)
        self._scale = 0.0

    def forward(self, x: np.ndarray, *, train: bool) -> np.ndarray:
        """Sums s (batch, n_out) of trits (batch, n_in)."""
        s = self.matrix.forward(x)
        if train:
            self._u = x
        return s.astype(self.dtype)

    def keep(self, gradient: np.ndarray) -> None:
        """Quantise and keep the gradient at the sums, without reading the array.

        Raises
        ------
        TypeError, ValueError
            If it is not a finite matrix (batch, n_out) of the batch kept by ``forward``.
        """
        gradient = checks.finite("gradient", gradient, 2)
        shape = (len(self._u), self.matrix.n_out)
        if gradient.shape != shape:
            raise ValueError(f"gradient must have shape {shape}, not {gradient.shape}")
        limit = self.matrix.config.max_error
        self._scale = float(np.abs(gradient).max(initial=0)) / limit
        if self._scale == 0:
            self._d = np.zeros(shape, np.int32)
        else:
            # The clip matters only where the scale is a denormal number, hence inexact.
            scaled = np.rint(gradient.astype(np.float64) / self._scale)
            self._d = np.clip(scaled, -limit, limit).astype(np.int32)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Keep the gradient and propagate it: e (batch, n_in)."""
        self.keep(gradient)
        return (self.matrix.backward(self._d) * self._scale).astype(self.dtype)

    def gradient(self) -> np.ndarray:
        """Loss gradient at the weights, d^T u times the scale: (n_out, n_in)."""
        # Float sums of integers within the mantissa are exact, and use BLAS.
        largest = len(self._d) * (self.matrix.config.max_error + 1)
        exact = np.float32 if largest < 1 << 24 else np.float64
        total = self._d.T.astype(exact) @ self._u.astype(exact)
        return np.multiply(total, self._scale, dtype=np.float64).astype(self.dtype)


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + epsilon) + beta, per column.

    Training uses the batch's mean and (biased) variance and moves the running ones by
    ``BN_ALPHA``; evaluation uses the running ones. Source: Ioffe and Szegedy, ICML 2015.

    Parameters
    ----------
    name : str
        The layer's.
    n : int
        Columns.
    dtype : dtype
        Of all arrays.

    Attributes
    ----------
    parameters : dict of str to ndarray of shape (n,)
        ``gamma`` and ``beta``, trained.
    statistics : dict of str to ndarray of shape (n,)
        ``mean`` and ``variance``, running.
    gradients : dict of str to ndarray of shape (n,)
        Loss gradients at the parameters, after ``backward``.
    """

    def __init__(self, name: str, n: int, dtype: DTypeLike = np.float32):
        self.name = name
        self.parameters = {"gamma": np.ones(n, dtype), "beta": np.zeros(n, dtype)}
        self.statistics = {"mean": np.zeros(n, dtype), "variance": np.ones(n, dtype)}
        self.gradients: dict[str, np.ndarray] = {}
        self._normal = np.zeros((0, n), dtype)
        self._inverse = np.ones(n, dtype)

    def forward(self, x: np.ndarray, *, train: bool) -> np.ndarray:
        """Normalised (batch, n), by the batch's statistics or the running ones."""
        mean, variance = self.statistics["mean"], self.statistics["variance"]
        if train:
            batch = {"mean": x.mean(axis=0), "variance": x.var(axis=0)}
            mean, variance = batch["mean"], batch["variance"]
            for name, running in self.statistics.items():
                running += BN_ALPHA * (batch[name] - running)
        inverse = 1 / np.sqrt(variance + BN_EPSILON)
        normal = (x - mean) * inverse
        if train:
            self._normal, self._inverse = normal, inverse
        return self.parameters["gamma"] * normal + self.parameters["beta"]

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Gradient at x, through the batch's own mean and variance."""
        gamma = (gradient * self._normal).sum(axis=0)
        beta = gradient.sum(axis=0)
        self.gradients = {"gamma": gamma, "beta": beta}
        n = max(len(gradient), 1)
        centred = gradient - (beta + self._normal * gamma) / n
        return self.parameters["gamma"] * self._inverse * centred


class Activation(Layer):
    """Ternary step: +1 above ``threshold``, -1 below -``threshold``, else 0; or the sign.

    Its derivative is replaced by a rectangular window of half-width ``window`` around the steps,
    height 1 / (2 window), bounds included. GXNOR's published code has r = 1, a = 0.5 (its
    ``discrete_neuron_3states``), the paper's text r = a = 0.5.

    Parameters
    ----------
    threshold : float
        r, positive; 0 makes a binary activation with one step at 0, where sign(0) = +1.
    window : float
        a, positive.
    """

    def __init__(self, threshold: float, window: float):
        self.threshold, self.window = threshold, window
        self._slope = np.zeros((0, 0))

    def forward(self, x: np.ndarray, *, train: bool) -> np.ndarray:
        """Trits (batch, n), int8."""
        if train:
            inside = np.abs(np.abs(x) - self.threshold) <= self.window
            self._slope = inside.astype(x.dtype) / x.dtype.type(2 * self.window)
        if self.threshold == 0:
            return np.where(x < 0, -1, 1).astype(np.int8)
        return (x > self.threshold).astype(np.int8) - (x < -self.threshold).astype(np.int8)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient where a step is near, times the window's height."""
        return gradient * self._slope


def squared_hinge(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of max(0, 1 - t s)^2 over batch and classes, t = +1 for the label's class, else -1.

    Source: GXNOR's published code.

    Parameters
    ----------
    scores : ndarray of shape (batch, classes), float
    labels : ndarray of shape (batch,), integer

    Returns
    -------
    loss : float
    gradient : ndarray of shape (batch, classes)
        At the scores.

    Raises
    ------
    TypeError, ValueError
        If the scores are not a finite matrix or the labels no classes of it.
    """
    scores = checks.finite("scores", scores, 2)
    labels = checks.integers("labels", labels, (len(scores),), 0, scores.shape[1] - 1)
    targets = np.where(np.arange(scores.shape[1]) == labels[:, None], 1, -1).astype(scores.dtype)
    slack = np.maximum(0, 1 - targets * scores)
    return float(np.square(slack).mean()), -2 * targets * slack / scores.dtype.type(scores.size)
