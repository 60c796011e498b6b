"""A gated-XNOR network whose weights live in synapse arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from golden import checks
from golden.backend import Backend, Tensor
from golden.matrix.interface import HostBank
from golden.matrix.whole import WholeMatrix
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.layers import Activation, BatchNorm, Layer, squared_hinge
from golden.network.neurons import Neurons
from golden.network.notation import Block
from golden.network.optim import Gradient, Learner, Optimiser
from golden.network.synapse_layers import Conv, Dense, SynapseLayer
from golden.network.synapse_network import Step, SynapseNetwork
from golden.pulse.table import GXNOR_M

EVALUATION_BATCH = {1: 1024, 3: 250}  # vectors, images: by axes of a sample


class Network(SynapseNetwork):
    """Layers "layer1", "layer2", ...: weights, batch norm and activation; the last has none.

    Parameters
    ----------
    bank : ArrayBank or WholeBank
        Makes the synapse matrices; its table codes the pulses.
    shape : sequence of int
        Shape of an input, (n,) or (height, width, channels).
    blocks : sequence of golden.network.notation.Block
        All layers but the last.
    classes : int
        Outputs of the last layer.
    limit : int
        Largest magnitude of the inputs, see ``golden.network.synapse_layers.SynapseLayer``.
    threshold, window : float
        Parameters of the activations, see ``golden.network.layers.Activation``.
    steepness : float
        m of the switching probability tanh(m nu), see ``golden.pulse.coder.encode``.
    spread : {"variance", "deviation"}
        Divisor of batch norm, see ``golden.network.layers.BatchNorm``.
    dtype : dtype
        Type of all numbers that are not integers.
    learner : Learner, optional
        Optimiser and rule of ``train_step``; a network that only classifies has none.

    Raises
    ------
    TypeError, ValueError
        If blocks do not fit their inputs, or ``classes`` is no positive integer.
    """

    def __init__(
        self,
        bank: HostBank,
        shape: Sequence[int],
        blocks: Sequence[Block],
        classes: int,
        *,
        limit: int = 1,
        threshold: float = 0.5,
        window: float = 0.5,
        steepness: float = GXNOR_M,
        spread: str = "variance",
        dtype: DTypeLike = np.float32,
        learner: Learner | None = None,
    ):
        self.learner = learner
        self.bank, self.steepness, self.dtype = bank, steepness, np.dtype(dtype)
        self.backend: Backend = bank.backend
        blocks = [*blocks, Block(checks.integer("classes", classes, 1))]
        self.shapes = notation.shapes(blocks, shape)
        self.synapse_layers: list[SynapseLayer] = []
        self.norms: list[BatchNorm] = []
        self.layers: list[Layer] = []
        sizes = notation.matrices(blocks, shape)
        for number, (block, size) in enumerate(zip(blocks, sizes, strict=True), start=1):
            name = f"layer{number}"
            if self.layers:
                self._activate(threshold, window, spread)
                limit = 1
            matrix = bank.matrix(name, *size)
            if block.kernel:
                sides = block.kernel, block.padding, block.pool
                self.synapse_layers.append(Conv(matrix, *sides, dtype=dtype, limit=limit))
            else:
                self.synapse_layers.append(Dense(matrix, dtype, limit))
            self.norms.append(BatchNorm(name, block.n_out, dtype, self.backend, spread))
            self.layers += [self.synapse_layers[-1], self.norms[-1]]

    def _activate(self, threshold: float, window: float, spread: str) -> None:
        """Let an activation follow the last batch norm."""
        if self.backend.operations and spread == "variance" and self.dtype == np.float32:
            self.layers[-1] = Neurons(self.norms[-1], threshold, window, self.backend)
        else:
            self.layers.append(Activation(threshold, window, self.backend.small))

    def forward(self, u: np.ndarray, *, train: bool = False) -> Tensor:
        """Scores (batch, classes) of integers u (batch, *shape), an array of the back end."""
        limit = self.synapse_layers[0].limit
        u = checks.integers("u", u, (None, *self.shapes[0]), -limit, limit)
        x = self.backend.array(u.astype(self.backend.small or self.dtype))
        for layer in self.layers:
            x = layer.forward(x, train=train)
        return x

    def train_step(self, u: np.ndarray, labels: np.ndarray, learning_rate: float) -> Step:
        """Forward, backward and update on a batch; raises ValueError without a ``learner``."""
        learner = self._learner()
        scores = self.forward(u, train=True)
        loss, gradient = squared_hinge(scores, labels)
        self.backward(gradient)
        switched = self.update(learner.optimiser, learning_rate, learner.rng, blind=learner.blind)
        return Step(loss, self.backend.host(scores).argmax(axis=1), switched)

    def predict(self, u: np.ndarray) -> np.ndarray:
        size = EVALUATION_BATCH[u.ndim - 1]
        parts = range(0, len(u), size)
        scores = [self.backend.host(self.forward(u[start : start + size])) for start in parts]
        classes: np.ndarray = np.concatenate(scores).argmax(axis=1)
        return classes

    def generators(self) -> dict[str, np.random.Generator]:
        draws = {"draws": self.bank.rng} if isinstance(self.bank, WholeBank) else {}
        return {"coder": self.learner.rng, **draws} if self.learner else draws

    def optimiser_state(self) -> dict[str, np.ndarray]:
        host = self.backend.host
        state = self._learner().optimiser.state
        return {k: v if k.endswith(".steps") else host(v) for k, v in state.items()}

    def check_optimiser_state(self, state: dict[str, np.ndarray]) -> None:
        self._learner().optimiser.check_state(state, self.parameters())

    def set_optimiser_state(self, state: dict[str, np.ndarray]) -> None:
        self.check_optimiser_state(state)
        array = self.backend.array
        self._learner().optimiser.state = {
            k: v if k.endswith(".steps") else array(v) for k, v in state.items()
        }

    def _learner(self) -> Learner:
        if self.learner is None:
            raise ValueError("learner must be a Learner to train, not None")
        return self.learner

    def backward(self, gradient: Tensor) -> None:
        """Propagate the gradient at the scores of the last training ``forward``.

        The first layer's errors are not needed, so its array is not read.
        """
        for layer in reversed(self.layers[1:]):
            gradient = layer.backward(gradient)
        self.synapse_layers[0].keep(gradient)

    def update(
        self,
        optimiser: Optimiser,
        learning_rate: float,
        rng: np.random.Generator,
        *,
        blind: bool = False,
    ) -> int:
        """One step of every weight and batch norm parameter, after ``backward``.

        Parameters
        ----------
        rng : numpy.random.Generator
            Rounds the pulse codes.
        blind : bool
            The blind rule instead of the exact one, see ``golden.array.cell``.

        Returns
        -------
        int
            Cells switched.
        """
        switched = 0
        table = self.bank.table
        for layer in self.synapse_layers:
            code = (table, rng, self.steepness)
            matrix = layer.matrix
            if not isinstance(optimiser, Gradient):
                gradient, operations = layer.gradient(), self.backend.operations
                change = optimiser.step(f"{layer.name}.weight", gradient, learning_rate, operations)
                switched += matrix.change(change, *code, blind=blind)
                continue
            if optimiser.dead_zone:
                change = optimiser.thresholded(layer.total(), layer.spread(), learning_rate)
                switched += matrix.change(change, *code, blind=blind, sparse=True)
                continue
            factor = optimiser.factor(layer.spread(), learning_rate)
            if isinstance(matrix, WholeMatrix) and isinstance(layer, Dense):
                d, u = layer.factors()
                switched += matrix.change_by(d, u, layer.limit, *code, blind=blind, factor=factor)
            else:
                switched += matrix.change(factor * layer.total(), *code, blind=blind)
        for norm in self.norms:
            for name, gradient in norm.gradients.items():
                change = optimiser.step(f"{norm.name}.{name}", gradient, learning_rate)
                norm.parameters[name] += change
        return switched

    def norm_arrays(self) -> dict[str, Any]:
        """Batch norm parameters and statistics, "<layer>.<what>": the back end's arrays, not
        copies."""
        return {
            f"{norm.name}.{what}": array
            for norm in self.norms
            for what, array in (norm.parameters | norm.statistics).items()
        }

    def host_norms(self) -> dict[str, np.ndarray]:
        arrays = self.norm_arrays()
        return {name: self.backend.host(array).copy() for name, array in arrays.items()}

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the optimiser's parameters by name."""
        matrices = {layer.name: layer.matrix for layer in self.synapse_layers}
        weights = {f"{name}.weight": (m.n_out, m.n_in) for name, m in matrices.items()}
        norms = {
            f"{norm.name}.{name}": tuple(array.shape)
            for norm in self.norms
            for name, array in norm.parameters.items()
        }
        return weights | norms

    def _norms(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        new = {name: self._norm(name, arrays[name]) for name in self.norm_arrays()}
        for name, array in self.norm_arrays().items():
            if new[name].shape != tuple(array.shape):
                shape = tuple(array.shape)
                raise ValueError(f"{name} must have shape {shape}, not {new[name].shape}")
        return new

    def _set_norms(self, norms: dict[str, np.ndarray]) -> None:
        for name, array in self.norm_arrays().items():
            array[:] = self.backend.array(norms[name])

    def _norm(self, name: str, value: Any) -> np.ndarray:
        """A number for each column, checked, in the network's type."""
        kind = np.asarray(value).dtype
        if kind.kind != "f":
            raise TypeError(f"{name} must hold floating-point numbers, not {kind}")
        checks.finite(name, value, 1)
        with np.errstate(over="ignore"):
            array = checks.finite(name, value.astype(self.dtype), 1)
        if name.endswith(".variance") and (array < 0).any():
            at = int(np.argmax(array < 0))
            raise ValueError(f"{name}[{at}] must be at least 0, not {array[at]}")
        return array
