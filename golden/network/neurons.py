"""Batch norm and activation in one layer, for back ends whose sums are whole numbers.

Neither the batch norm's output nor the window is kept: both follow from the sums. The gradients at
gamma and beta are sums of whole numbers, exact like those of the batch's statistics.
"""

from golden.backend import Backend, Scaled, Tensor, namespace
from golden.backend.columns import Columns
from golden.network.layers import BN_ALPHA, BN_EPSILON, BatchNorm, Layer


class Neurons(Layer):
    """``golden.network.layers.BatchNorm`` with variances, followed by ``Activation``.

    Parameters
    ----------
    norm : BatchNorm
        Its parameters and statistics.
    threshold, window : float
        See ``golden.network.layers.Activation``.
    backend : golden.backend.Backend
        With ``operations``.
    """

    def __init__(self, norm: BatchNorm, threshold: float, window: float, backend: Backend):
        self.norm, self._sizes = norm, (threshold, window)
        self._operations = backend.operations
        self._x: Tensor = None
        self._state: Tensor = None

    def forward(self, x: Tensor, *, train: bool) -> Tensor:
        """Trits (..., n) of sums x (..., n), int32."""
        shape, norm = tuple(x.shape), self.norm
        x = x.reshape(-1, shape[-1])
        xp = namespace(x)
        mean, variance = norm.statistics["mean"], norm.statistics["variance"]
        if train:
            sums, squares = self._operations.moments(x)
            exact = sums / len(x)
            variance = xp.clip(squares / len(x) - exact * exact, 0, None)
            mean, variance = (xp.astype(a, xp.float32) for a in (exact, variance))
            for name, batch in (("mean", mean), ("variance", variance)):
                running = norm.statistics[name]
                running += BN_ALPHA * (batch - running)
        inverse = 1 / xp.sqrt(variance + BN_EPSILON)
        parameters = norm.parameters["gamma"], norm.parameters["beta"]
        state = Columns(mean, inverse, *parameters, *self._sizes)
        if train:
            self._x, self._state = x, state
        return self._operations.activate(x, state).reshape(shape)

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient at the sums from errors at the trits, a ``Scaled``."""
        assert isinstance(gradient, Scaled)
        operations, x, state = self._operations, self._x, self._state
        shape = tuple(gradient.whole.shape)
        errors = gradient.whole.reshape(x.shape)
        xp = namespace(errors)
        factor = gradient.scale / (2 * state.window)
        total, product = operations.window_sums(errors, x, state)
        beta = xp.astype(factor * total, xp.float32)
        mean = xp.astype(state.mean, xp.float64)
        gamma = xp.astype(factor * (product - mean * total) * state.inverse, xp.float32)
        self.norm.gradients = {"gamma": gamma, "beta": beta}
        return operations.gradient(errors, x, state, factor, gamma, beta).reshape(shape)
