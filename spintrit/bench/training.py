"""Training steps that ``spintrit bench`` times: the golden model's, PyTorch's, and the bare
products of a step."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.backend import NUMPY, Backend
from golden.config import ArrayConfig
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.layers import squared_hinge
from golden.network.network import Network
from golden.network.notation import Block
from golden.network.optim import OPTIMISERS
from golden.pulse.table import tanh_table

SEED = 0
CLASSES = 10
# A training's, from the first epoch to the last. What a step costs goes with what may switch, hence
# with the rate: the accuracy that this one reaches stands beside the figures in docs/speed.md.
LEARNING_RATES = tuple(np.geomspace(0.002, 1e-5, 20).tolist())


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Of an input.
    network : str
        See ``golden.network.notation``.
    batch : int
    optimiser : str
    rates : tuple of float
        Learning rates of the steps, one after the other.
    slow : bool
        Whether a step takes seconds.
    """

    name: str
    shape: tuple[int, ...]
    network: str
    batch: int
    optimiser: str
    rates: tuple[float, ...] = LEARNING_RATES
    slow: bool = False

    @property
    def blocks(self) -> list[Block]:
        """All layers."""
        return [*notation.parse(self.network), Block(CLASSES)]


def golden_step(work: Workload, backend: Backend = NUMPY) -> Callable[[], object]:
    """One training step on whole matrices of cells, of random inputs; the learning rate goes
    through ``work.rates`` from step to step."""
    config = ArrayConfig(counters=False)
    bank = WholeBank(config, tanh_table(config), SEED, backend=backend)
    model = Network(bank, work.shape, notation.parse(work.network), CLASSES)
    steps = OPTIMISERS[work.optimiser]()
    rng = np.random.default_rng(SEED)
    model.initialise(rng, 0.1)
    u = rng.integers(-1, 2, (work.batch, *work.shape)).astype(np.int8)
    labels = rng.integers(0, CLASSES, work.batch)
    rate = itertools.cycle(work.rates)

    def step() -> None:
        _, gradient = squared_hinge(model.forward(u, train=True), labels)
        model.backward(gradient)
        model.update(steps, next(rate), rng)

    return step


def torch_step(
    work: Workload, *, channels_last: bool = False, bf16: bool = False
) -> Callable[[], object]:
    """The same network in PyTorch: batch norm, hard tanh for the activation.

    Parameters
    ----------
    channels_last : bool
        Memory format of images; the default is PyTorch's.
    bf16 : bool
        Whether to compute in bfloat16 where autocast allows it; else in fp32.
    """
    import torch

    torch.manual_seed(SEED)
    shapes = notation.shapes(work.blocks, work.shape)
    layers: list[Any] = []
    for block, before in zip(work.blocks, shapes, strict=False):
        if block.kernel:
            sides = before[-1], block.n_out, block.kernel
            layers += [torch.nn.Conv2d(*sides, padding=block.padding, bias=False)]
            layers += [torch.nn.MaxPool2d(block.pool)] if block.pool > 1 else []
            layers.append(torch.nn.BatchNorm2d(block.n_out))
        else:
            layers += [torch.nn.Flatten()] if len(before) > 1 else []
            layers += [torch.nn.Linear(int(np.prod(before)), block.n_out, bias=False)]
            layers.append(torch.nn.BatchNorm1d(block.n_out))
        layers.append(torch.nn.Hardtanh())
    model = torch.nn.Sequential(*layers[:-1])
    x = torch.randint(-1, 2, (work.batch, *work.shape)).float()
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    if channels_last:
        model, x = (a.to(memory_format=torch.channels_last) for a in (model, x))
    if work.batch == 1:
        model.eval()  # PyTorch refuses the statistics of one sample
    steps = {"gradient": torch.optim.SGD, "adam": torch.optim.Adam}[work.optimiser]
    update = steps(model.parameters(), lr=0.001)
    labels = torch.randint(0, CLASSES, (work.batch,))
    targets = 2 * torch.nn.functional.one_hot(labels, CLASSES).float() - 1

    def step() -> None:
        update.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            scores = model(x)
        torch.relu(1 - targets * scores.float()).square().mean().backward()
        update.step()

    return step


def torch_settings(work: Workload) -> list[dict[str, bool]]:
    """The settings of ``torch_step`` in fp32 among which the fastest is taken."""
    images = len(work.shape) == 3
    return [{"channels_last": value} for value in ((False, True) if images else (False,))]


def products_step(work: Workload, backend: Backend) -> Callable[[], object]:
    """The products of matrices of a step alone: sums, errors and weight gradients of all layers but
    the errors of the first."""
    rng = np.random.default_rng(SEED)

    def matrix(*shape: int) -> Any:
        return backend.array(rng.integers(-1, 2, shape).astype(np.int8))

    pairs = []
    shapes = notation.shapes(work.blocks, work.shape)
    sizes = notation.matrices(work.blocks, work.shape)
    for number, (block, (n_in, n_out)) in enumerate(zip(work.blocks, sizes, strict=True)):
        positions = places = work.batch
        if block.kernel:
            sides = [n + 2 * block.padding - block.kernel + 1 for n in shapes[number][:2]]
            positions *= int(np.prod(sides))
            places *= int(np.prod(shapes[number][:2]))
        taps = max(block.kernel, 1) ** 2
        u, d, weights = matrix(positions, n_in), matrix(positions, n_out), matrix(n_in, n_out)
        pairs += [(u, weights), (d.T, u)]
        if number and block.kernel - 1 > 2 * block.padding:  # see golden.backend.torch.products
            pairs.append((d, weights.T))
        elif number:
            pairs.append((matrix(places, taps * n_out), matrix(taps * n_out, n_in // taps)))

    def step() -> None:
        for a, b in pairs:
            backend.products.multiply(a, b, 1 << 20)

    return step
