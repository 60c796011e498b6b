"""The layers of a gated-XNOR network without weights, and its loss.

Sums of weights (``golden.network.synapse_layers``), batch norm and activation follow each other.
The last layer has no activation: its scores are batch-normalised sums. The channels are the last
axis of all arrays. Arrays are numpy's or another back end's. Source: GXNOR-Net, Deng et al., Neural
Networks 100, 2018, and its published code.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import DTypeLike

from golden import checks
from golden.backend import NUMPY, Backend, Scaled, Tensor, namespace

MOST_SIZE = 100.0  # largest threshold r and window a of an activation
BN_EPSILON = 1e-4  # GXNOR's published code
BN_ALPHA = 0.1  # weight of the newest batch in the running statistics, GXNOR's published code
SPREADS = ("variance", "deviation")
# A normal distribution's standard deviation over its mean absolute deviation.
DEVIATION = math.sqrt(math.pi / 2)


class Layer(ABC):
    """One step of the network. ``forward`` with ``train`` keeps what ``backward`` needs."""

    @abstractmethod
    def forward(self, x: np.ndarray, *, train: bool) -> np.ndarray:
        """Outputs (batch, n_out) of inputs (batch, n_in)."""

    @abstractmethod
    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Loss gradient at the inputs (batch, n_in) from that at the outputs (batch, n_out)."""


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + epsilon) + beta, per column.

    Training uses the batch's mean and (biased) variance and moves the running ones by
    ``BN_ALPHA``; evaluation uses the running ones. Source: Ioffe and Szegedy, ICML 2015.

    Parameters
    ----------
    name : str
        Name of the layer.
    n : int
        Columns.
    dtype : dtype
        Type of all arrays.
    backend : golden.backend.Backend
        Back end of all arrays.
    spread : {"variance", "deviation"}
        "variance": the variance of the batch. "deviation", as on an accelerator: the square of
        sqrt(pi / 2) times its mean absolute deviation. ``backward`` is the same for both.

    Attributes
    ----------
    parameters : dict of str to ndarray of shape (n,)
        ``gamma`` and ``beta``, trained.
    statistics : dict of str to ndarray of shape (n,)
        ``mean`` and ``variance``, running.
    gradients : dict of str to ndarray of shape (n,)
        Loss gradients at the parameters, after ``backward``.
    """

    def __init__(
        self,
        name: str,
        n: int,
        dtype: DTypeLike = np.float32,
        backend: Backend = NUMPY,
        spread: str = "variance",
    ):
        self.name, self._spread = name, checks.choice("spread", spread, SPREADS)
        self._dtype = np.dtype(dtype)

        def filled(value: float) -> Tensor:
            return backend.array(np.full(n, value, dtype))

        self.parameters = {"gamma": filled(1), "beta": filled(0)}
        self.statistics = {"mean": filled(0), "variance": filled(1)}
        self.gradients: dict[str, Tensor] = {}
        self._normal: Tensor = np.zeros((0, n), dtype)
        self._inverse: Tensor = np.ones(n, dtype)

    def forward(self, x: Tensor, *, train: bool) -> Tensor:
        """Normalised values (..., n), with the batch's statistics or the running ones."""
        xp, shape = namespace(x), x.shape
        x = xp.astype(x.reshape(-1, shape[-1]), getattr(xp, self._dtype.name), copy=False)
        mean, variance = self.statistics["mean"], self.statistics["variance"]
        if train:
            mean = xp.sum(x, axis=0) / len(x)
        normal = x - mean
        if train:
            if self._spread == "deviation":
                deviation = xp.sum(xp.abs(normal), axis=0) / len(x)
                variance = xp.square(DEVIATION * deviation)
            else:
                variance = xp.sum(normal * normal, axis=0) / len(x)
            for name, batch in (("mean", mean), ("variance", variance)):
                running = self.statistics[name]
                running += BN_ALPHA * (batch - running)
        inverse = 1 / xp.sqrt(variance + BN_EPSILON)
        normal *= inverse
        if train:
            self._normal, self._inverse = normal, inverse
        y = self.parameters["gamma"] * normal
        y += self.parameters["beta"]
        return y.reshape(shape)

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient at x, including the part through the batch's mean and variance."""
        gradient = _floats(gradient, self._dtype)
        xp, shape = namespace(gradient), gradient.shape
        gradient = gradient.reshape(-1, shape[-1])
        gamma = xp.sum(gradient * self._normal, axis=0)
        beta = xp.sum(gradient, axis=0)
        self.gradients = {"gamma": gamma, "beta": beta}
        n = max(len(gradient), 1)
        centred = self._normal * gamma
        centred += beta
        centred /= n
        centred = gradient - centred
        centred *= self.parameters["gamma"] * self._inverse
        return centred.reshape(shape)


class Activation(Layer):
    """Ternary step: +1 above ``threshold``, -1 below -``threshold``, else 0. Or binary: the sign.

    Its derivative is replaced by a rectangular window of half-width ``window`` around the steps,
    height 1 / (2 window), bounds included. GXNOR's published code has r = 1, a = 0.5 (its
    ``discrete_neuron_3states``), the paper's text r = a = 0.5.

    Parameters
    ----------
    threshold : float
        r, positive; 0 makes a binary activation with one step at 0, where sign(0) = +1.
    window : float
        a, positive.
    small : str
        Name of the type of the trits; "" for that of the inputs.
    """

    def __init__(self, threshold: float, window: float, small: str = ""):
        self.threshold, self.window, self._small = threshold, window, small
        self._inside: Tensor = np.zeros((0, 0), bool)

    def forward(self, x: Tensor, *, train: bool) -> Tensor:
        """Trits (..., n)."""
        xp = namespace(x)
        kind = getattr(xp, self._small) if self._small else x.dtype
        if train:
            self._inside = xp.abs(xp.abs(x) - self.threshold) <= self.window
        up = xp.astype(x > self.threshold, kind)
        if self.threshold == 0:
            return 1 - 2 * xp.astype(x < 0, kind)
        up -= xp.astype(x < -self.threshold, kind)
        return up

    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient times the window's height within the window, 0 outside."""
        gradient = _floats(gradient, np.dtype(np.float32))
        near = gradient * namespace(gradient).astype(self._inside, gradient.dtype)
        near *= 1 / (2 * self.window)
        return near


def _floats(gradient: Tensor, dtype: np.dtype) -> Tensor:
    return gradient.astype(dtype.name) if isinstance(gradient, Scaled) else gradient


def squared_hinge(scores: Tensor, labels: np.ndarray) -> tuple[float, Tensor]:
    """Mean of max(0, 1 - t s)^2 over batch and classes, t = +1 for the label's class, else -1.

    Source: GXNOR's published code.

    Parameters
    ----------
    scores : array of shape (batch, classes), float
    labels : ndarray of shape (batch,), integer

    Returns
    -------
    loss : float
    gradient : array of shape (batch, classes)
        Loss gradient at the scores.

    Raises
    ------
    TypeError, ValueError
        If the scores are not a finite matrix or the labels no classes of it.
    """
    xp = namespace(scores)
    if xp is np:
        scores = checks.finite("scores", scores, 2)
    labels = checks.integers("labels", labels, (len(scores),), 0, scores.shape[1] - 1)
    right = np.arange(scores.shape[1]) == labels[:, None]
    targets = xp.asarray(np.where(right, 1, -1), dtype=scores.dtype, device=scores.device)
    slack = xp.clip(1 - targets * scores, 0, None)
    loss = float(xp.mean(xp.square(slack)))
    if not np.isfinite(loss):
        raise ValueError(f"scores must be finite: their loss is {loss}")
    return loss, -2 * targets * slack / float(len(scores) * scores.shape[1])
