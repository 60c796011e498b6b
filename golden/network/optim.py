"""Optimisers: from a gradient to a weight change for the pulse coder.

GXNOR's dW is the *optimiser's* step, not the gradient [its published code]. An optimiser's memory
is on the host and real-valued; ``bytes_per_weight`` gives its size.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from golden import checks
from golden.backend import Scaled, Tensor, namespace

LEAST_RATE = 1e-12  # least learning rate
MOST_DEAD_ZONE = 6.0  # largest k of ``Gradient``
_MOST_STEPS = (1 << 63) - 1


class Optimiser(ABC):
    """Steps for any number of named parameter arrays.

    Attributes
    ----------
    BUFFERS : tuple of str
        Real numbers kept for each weight.
    momentum : float
        Decay of the running mean of gradients, b1 of Adam; 0.9 by default.
    dead_zone : float
        See ``Gradient``; 0 by default.
    state : dict of str to ndarray
        "<parameter>.<buffer>" for each parameter that has had a step, and "<parameter>.steps", the
        number of its steps. A checkpoint needs nothing else.
    """

    BUFFERS: tuple[str, ...] = ()

    def __init__(
        self, state: dict[str, Any] | None = None, momentum: float = 0.9, dead_zone: float = 0.0
    ):
        self.state = dict(state or {})
        self.momentum, self.dead_zone = float(momentum), float(dead_zone)

    @classmethod
    def bytes_per_weight(cls, dtype: DTypeLike = np.float32) -> int:
        """Host memory for each weight, bytes."""
        return len(cls.BUFFERS) * np.dtype(dtype).itemsize

    def check_state(self, state: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
        """Check a ``state`` for parameters of ``shapes``; parameters without a step may be missing.

        Raises
        ------
        TypeError, ValueError
            If a part is missing, does not fit or belongs to no parameter; the message names it.
        """
        buffers = ("steps", *self.BUFFERS)
        known = {f"{name}.{buffer}": name for name in shapes for buffer in buffers}
        for key, value in state.items():
            if key not in known:
                raise ValueError(f"{key} belongs to no parameter")
            for buffer in buffers:
                if f"{known[key]}.{buffer}" not in state:
                    raise ValueError(f"{known[key]}.{buffer} is missing")
            if key.endswith(".steps"):
                checks.integers(key, value, (), 1, _MOST_STEPS)
            else:
                shape = shapes[known[key]]
                if checks.finite(key, value, len(shape)).shape != shape:
                    raise ValueError(f"{key} must have shape {shape}, not {value.shape}")

    def step(
        self, name: str, gradient: Tensor | Scaled, learning_rate: float, operations: Any = None
    ) -> Tensor:
        """The change to add to parameter ``name``, in the gradient's shape and type.

        With the ``operations`` of a back end the gradient is a ``Scaled``; the change is float32.
        """
        if f"{name}.steps" not in self.state:
            self.state[f"{name}.steps"] = np.zeros((), np.int64)
            for buffer in self.BUFFERS:
                self.state[f"{name}.{buffer}"] = _zeros(gradient)
        buffers = [self.state[f"{name}.{buffer}"] for buffer in self.BUFFERS]
        count = self.state[f"{name}.steps"]
        count += 1
        if isinstance(gradient, Scaled):
            return self._scaled_step(gradient, operations, learning_rate, int(count), *buffers)
        return self._step(gradient, learning_rate, int(count), *buffers)

    def _scaled_step(
        self, gradient: Scaled, operations: Any, learning_rate: float, count: int, *buffers: Tensor
    ) -> Tensor:
        return self._step(gradient.astype("float32"), learning_rate, count, *buffers)

    @abstractmethod
    def _step(
        self, gradient: Tensor, learning_rate: float, count: int, *buffers: Tensor
    ) -> Tensor: ...


class Adam(Optimiser):
    """m, v: running means of g and g^2; step -lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).

    Source: Kingma and Ba, ICLR 2015, the efficient order at the end of section 2, with its
    defaults.
    """

    BUFFERS = ("m", "v")
    BETA2, EPSILON = 0.999, 1e-8

    def _step(self, gradient: Tensor, learning_rate: float, count: int, *buffers: Tensor) -> Tensor:
        m, v = buffers
        xp = namespace(gradient)
        change = gradient - m
        change *= 1 - self.momentum
        m += change
        change = xp.square(gradient)
        change -= v
        change *= 1 - self.BETA2
        v += change
        rate = self._rate(learning_rate, count)
        root = xp.sqrt(v)
        root += self.EPSILON
        change = -rate * m
        change /= root
        return change

    def _scaled_step(
        self, gradient: Scaled, operations: Any, learning_rate: float, count: int, *buffers: Tensor
    ) -> Tensor:
        rate, decays = self._rate(learning_rate, count), (self.momentum, self.BETA2)
        return operations.adam(gradient, *buffers, *decays, rate, self.EPSILON)

    def _rate(self, learning_rate: float, count: int) -> float:
        return float(learning_rate * (1 - self.BETA2**count) ** 0.5 / (1 - self.momentum**count))


class Momentum(Optimiser):
    """m: running mean of g; step -lr m / rms(m), with the root mean square over the layer.

    It needs half of Adam's memory, and one division a layer instead of one a weight. The size of
    gradients differs from layer to layer and falls during training; the division removes this. No
    source.
    """

    BUFFERS = ("m",)

    def _step(self, gradient: Tensor, learning_rate: float, count: int, *buffers: Tensor) -> Tensor:
        (m,) = buffers
        m += (1 - self.momentum) * (gradient - m)
        xp = namespace(m)
        scaled = _per_rms(m, learning_rate) * xp.astype(m, xp.float64)
        return xp.astype(scaled, m.dtype)


class Gradient(Optimiser):
    """Step -lr g / e, without memory.

    For weights, e is the rms of the layer's g = d^T u if the signs of its terms were independent
    (``golden.network.synapse_layers.SynapseLayer.spread``). If the samples of a batch do not agree,
    the rms of the step is lr; if they agree, it is larger. A near-memory update engine can compute
    this: it has the batch's inputs and errors and computes the gradient of one column at a time,
    and e is known before the first pulse. For other parameters e is the rms of g over the layer.

    With a dead zone k the step of a weight is -lr sgn(g) max(|g| / e - k, 0) / s(k). The rms for a
    batch whose samples do not agree is lr again, with few steps that are not 0. The final weights
    depend on the ratio of the probabilities of steps up and down, not on lr. For normally
    distributed g of mean m e this ratio is about exp(2 k m). No source.
    """

    def _step(self, gradient: Tensor, learning_rate: float, count: int, *buffers: Tensor) -> Tensor:
        return _per_rms(gradient, learning_rate) * gradient

    @staticmethod
    def factor(mean_square: float, learning_rate: float) -> float:
        """Ratio of step and gradient, -lr / e, from e^2 in the gradient's unit squared."""
        return -learning_rate / mean_square**0.5 if mean_square > 0 else 0.0

    def thresholded(self, total: Tensor, mean_square: float, learning_rate: float) -> Tensor:
        """Step of weights with the dead zone, from g and e^2 in the same unit."""
        xp = namespace(total)
        k = self.dead_zone
        factor = self.factor(mean_square, learning_rate) / tail_rms(k)
        beyond = xp.clip(xp.abs(total) - k * mean_square**0.5, 0, None)
        return factor * xp.sign(total) * beyond


def tail_rms(k: float) -> float:
    """s(k), the rms of max(|z| - k, 0) for a standard normal z; s(0) = 1.

    s^2 = 2 ((1 + k^2) Q(k) - k phi(k)).
    """
    beyond = math.erfc(k / 2**0.5) / 2
    density = math.exp(-k * k / 2) / (2 * math.pi) ** 0.5
    return float((2 * ((1 + k * k) * beyond - k * density)) ** 0.5)


def _zeros(gradient: Tensor | Scaled) -> Tensor:
    if isinstance(gradient, Scaled):
        xp = namespace(gradient.whole)
        return xp.zeros_like(gradient.whole, dtype=xp.float32)
    return namespace(gradient).zeros_like(gradient)


def _per_rms(x: Tensor, learning_rate: float) -> float:
    """-lr / rms(x); 0 if all is 0."""
    xp = namespace(x)
    if xp is np and x.dtype == np.float32:
        # BLAS adds in blocks, which is precise enough.
        flat = x.reshape(-1)
        square = float(np.vdot(flat, flat)) / max(x.size, 1)
    else:
        square = float(xp.mean(xp.square(xp.astype(x, xp.float64))))
    return Gradient.factor(square, learning_rate)


@dataclass(frozen=True)
class Learner:
    """Optimiser and update rule of a host that trains a network.

    Parameters
    ----------
    optimiser : Optimiser
    rng : numpy.random.Generator
        Rounds the pulse codes.
    blind : bool
        The blind rule instead of the exact one, see ``golden.array.cell``.
    """

    optimiser: Optimiser
    rng: np.random.Generator
    blind: bool = False


OPTIMISERS: dict[str, type[Optimiser]] = {
    "adam": Adam,
    "momentum": Momentum,
    "gradient": Gradient,
}


def exponential_decay(start: float, end: float, epoch: int, epochs: int) -> float:
    """Learning rate of ``epoch`` (from 0): from ``start`` in the first to ``end`` in the last."""
    epochs = checks.integer("epochs", epochs, 1)
    epoch = checks.integer("epoch", epoch, 0, epochs - 1)
    return float(start * (end / start) ** (epoch / max(epochs - 1, 1)))
