"""Networks of real-valued weights and smooth activations, for gradients by finite differences."""

import numpy as np

from golden.backend import NUMPY
from golden.config import ArrayConfig
from golden.network.layers import Activation, Layer, squared_hinge
from golden.network.network import Network


class FloatMatrix:
    """Real-valued weights behind the matrix interface, with 16-bit errors."""

    config = ArrayConfig(error_bits=16)
    backend = NUMPY

    def __init__(self, name, n_in, n_out):
        self.name, self.n_in, self.n_out = name, n_in, n_out
        self.weights = np.random.default_rng(n_in).normal(size=(n_out, n_in))

    def forward(self, u, limit):
        return u @ self.weights.T

    def backward(self, d):
        return d @ self.weights


class FloatBank:
    backend = NUMPY
    matrix = FloatMatrix


class Tanh(Layer):
    """A smooth activation."""

    def forward(self, x, *, train):
        self._slope = 1 - np.tanh(x) ** 2
        return np.tanh(x)

    def backward(self, gradient):
        return gradient * self._slope


def check_gradients(shape, blocks):
    """All gradients of a network of 3 classes against finite differences; returns how many."""
    net = Network(FloatBank(), shape, blocks, 3, dtype=np.float64)
    net.layers = [Tanh() if isinstance(layer, Activation) else layer for layer in net.layers]
    rng = np.random.default_rng(1)
    for norm in net.norms:
        norm.parameters["gamma"][:] = rng.normal(1, 0.3, norm.parameters["gamma"].shape)
        norm.parameters["beta"][:] = rng.normal(0, 0.3, norm.parameters["beta"].shape)
    u, labels = rng.integers(-1, 2, (12, *shape)), rng.integers(0, 3, 12)

    def loss():
        return squared_hinge(net.forward(u, train=True), labels)[0]

    net.backward(squared_hinge(net.forward(u, train=True), labels)[1])
    pairs = [(layer.matrix.weights, layer.gradient()) for layer in net.synapse_layers]
    pairs += [(n.parameters[what], n.gradients[what]) for n in net.norms for what in n.parameters]
    for parameter, gradient in pairs:
        wanted = np.zeros_like(parameter)
        for index in np.ndindex(parameter.shape):
            keep = parameter[index]
            parameter[index] = keep + 1e-6
            above = loss()
            parameter[index] = keep - 1e-6
            wanted[index] = (above - loss()) / 2e-6
            parameter[index] = keep
        # The errors' quantisation to 16 bits is all that separates them.
        tolerance = 1e-3 * max(np.abs(wanted).max(), 1e-4)
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=tolerance)
    return len(pairs)
