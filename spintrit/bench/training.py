"""Training steps that ``spintrit bench`` times: the golden model's and PyTorch's."""

import itertools
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from golden import backend
from golden.backend import NUMPY, Backend
from golden.config import ArrayConfig
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.layers import squared_hinge
from golden.network.network import Network
from golden.network.optim import OPTIMISERS
from golden.pulse.table import tanh_table

SEED = 0
CLASSES = 10
# A training's, from the first epoch to the last. What a step costs goes with what may switch, hence
# with the rate: the accuracy that this one reaches stands beside the figures in docs/speed.md.
LEARNING_RATES = tuple(np.geomspace(0.002, 1e-5, 20).tolist())


def golden_step(
    shape: Sequence[int],
    network: str,
    batch: int,
    optimiser: str,
    backend: Backend = NUMPY,
    rates: Sequence[float] = LEARNING_RATES,
) -> Callable[[], object]:
    """One training step on whole matrices of cells, of random inputs of ``shape``; the learning
    rate goes through ``rates`` from step to step."""
    config = ArrayConfig(counters=False)
    bank = WholeBank(config, tanh_table(config), SEED, backend=backend)
    model = Network(bank, shape, notation.parse(network), CLASSES)
    steps = OPTIMISERS[optimiser]()
    rng = np.random.default_rng(SEED)
    model.initialise(rng, 0.1)
    u = rng.integers(-1, 2, (batch, *shape)).astype(np.int8)
    labels = rng.integers(0, CLASSES, batch)
    rate = itertools.cycle(rates)

    def step() -> None:
        _, gradient = squared_hinge(model.forward(u, train=True), labels)
        model.backward(gradient)
        model.update(steps, next(rate), rng)

    return step


def torch_step(
    shape: Sequence[int], network: str, batch: int, optimiser: str
) -> Callable[[], object]:
    """The same network in PyTorch: fp32, batch norm, hard tanh for the activation."""
    import torch

    torch.manual_seed(SEED)
    blocks = [*notation.parse(network), notation.Block(CLASSES)]
    shapes = notation.shapes(blocks, shape)
    layers: list[Any] = []
    for block, before in zip(blocks, shapes, strict=False):
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
    if batch == 1:
        model.eval()  # PyTorch refuses the statistics of one sample
    steps = {"gradient": torch.optim.SGD, "adam": torch.optim.Adam}[optimiser]
    update = steps(model.parameters(), lr=0.001)
    x = torch.randint(-1, 2, (batch, *shape)).float()
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    labels = torch.randint(0, CLASSES, (batch,))
    targets = 2 * torch.nn.functional.one_hot(labels, CLASSES).float() - 1

    def step() -> None:
        update.zero_grad()
        torch.relu(1 - targets * model(x)).square().mean().backward()
        update.step()

    return step


def step_cost(
    shape: Sequence[int], network: str, batch: int, optimiser: str, compute: str
) -> tuple[float, float]:
    """Seconds of one training step on back end ``compute``, the least of three after the first,
    and the peak memory in GiB of the new process that makes them."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_step_cost, (shape, network, batch, optimiser, compute))


def _step_cost(
    shape: Sequence[int], network: str, batch: int, optimiser: str, compute: str
) -> tuple[float, float]:
    if compute != "numpy":
        import torch

        torch.set_num_threads(1)
    step = golden_step(shape, network, batch, optimiser, backend.load(compute))
    step()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return min(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
