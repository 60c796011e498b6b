"""Speed, measured in one run: ``python -m spintrit.bench`` (one thread: ``spintrit bench``)."""

import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from golden import protocol, spec
from golden.config import ArrayConfig
from golden.fast import FastPool
from golden.layers import squared_hinge
from golden.network import Network
from golden.optim import Gradient
from golden.ptable import tanh_table

SIZES = (784, 512, 10)
BATCHES = (1, 64)
SEED = 0
ROUNDS = 7
LEARNING_RATES = np.geomspace(0.006, 1e-5, 20)  # a training's, from the first epoch to the last
FORWARD_VECTORS = 2000


def golden_step(batch: int) -> Callable[[], object]:
    """One training step of a dense network on whole matrices of cells, of random inputs."""
    config = ArrayConfig(rows=SIZES[0], cols=SIZES[1], counters=False)
    pool = FastPool(config, tanh_table(config), SEED)
    network = Network(pool, SIZES[:1], spec.parse(f"{SIZES[1]}FC"), SIZES[2])
    optimiser = Gradient()
    rng = np.random.default_rng(SEED)
    network.initialise(rng, 0.1)
    u = rng.integers(-1, 2, (batch, SIZES[0])).astype(np.int8)
    labels = rng.integers(0, SIZES[-1], batch)

    rates = itertools.cycle(LEARNING_RATES.tolist())

    def step() -> None:
        _, gradient = squared_hinge(network.forward(u, train=True), labels)
        network.backward(gradient)
        network.update(optimiser, next(rates), rng)

    return step


def torch_step(batch: int) -> Callable[[], object]:
    """The same network in PyTorch: fp32, batch norm, hard tanh for the activation, plain SGD."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    layers: list[torch.nn.Module] = []
    for n_in, n_out in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(n_in, n_out, bias=False), torch.nn.BatchNorm1d(n_out)]
        layers.append(torch.nn.Hardtanh())
    model = torch.nn.Sequential(*layers[:-1])
    if batch == 1:
        model.eval()  # PyTorch refuses the statistics of one sample
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randint(-1, 2, (batch, SIZES[0])).float()
    targets = 2 * torch.nn.functional.one_hot(torch.randint(0, 10, (batch,)), 10).float() - 1

    def step() -> None:
        optimiser.zero_grad()
        torch.relu(1 - targets * model(x)).square().mean().backward()
        optimiser.step()

    return step


def per_second(step: Callable[[], object], count: int, seconds: float = 1.0) -> float:
    """``count`` times steps a second: the median of ``ROUNDS`` rounds, after a warm-up."""
    start = time.perf_counter()
    step()
    repeats = max(1, int(seconds / ROUNDS / (time.perf_counter() - start)))
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        rates.append(count * repeats / (time.perf_counter() - start))
    return statistics.median(rates)


def library_rates(config: ArrayConfig) -> tuple[float, float, float]:
    """FORWARD cycles per second of the bare Verilator loop and through the array interface, and
    the median of their ratios, taken in turn."""
    from sim.array import RtlArray

    rng = np.random.default_rng(SEED)
    bits = rng.integers(0, 2, (config.cols, config.rows, config.cells))
    u = rng.integers(-1, 2, (FORWARD_VECTORS, config.rows)).astype(np.int8)
    cycles = protocol.cycles(protocol.Op.FORWARD, config, config.cols, len(u))
    array = RtlArray(config)
    array.program(bits)
    rates = []
    for _ in range(ROUNDS + 1):
        bare = RtlArray(config)  # its loop ends within a frame, so it serves once
        bare.program(bits)
        start = time.perf_counter()
        bare.bare_forward(u[0], cycles)
        middle = time.perf_counter()
        array.forward(u)
        rates.append((middle - start, time.perf_counter() - middle))
    rates = rates[1:]  # the first round warms up
    bare_rate = statistics.median(cycles / bare for bare, _ in rates)
    library_rate = statistics.median(cycles / library for _, library in rates)
    return bare_rate, library_rate, statistics.median(bare / library for bare, library in rates)


def main(config: ArrayConfig | None = None) -> int:
    """Measure and print everything; ``config`` is the RTL array's, 64 x 64 by default."""
    console = Console()
    training = Table(title="Training dense 784-512-10, one thread, samples per second")
    has_torch = importlib.util.find_spec("torch") is not None
    for column in ("batch", "golden (gradient)", "PyTorch fp32 SGD", "golden / PyTorch"):
        training.add_column(column, justify="right")
    for batch in BATCHES:
        ours = per_second(golden_step(batch), batch)
        row = [str(batch), f"{ours:,.0f}", "not installed", "-"]
        if has_torch:
            theirs = per_second(torch_step(batch), batch)
            row[2:] = [f"{theirs:,.0f}", f"{ours / theirs:.2f}"]
        training.add_row(*row)
    console.print(training)

    config = config or ArrayConfig()
    rtl = Table(title=f"RTL, {config.rows} x {config.cols} array, FORWARD, cycles per second")
    rtl.add_column("driven by")
    rtl.add_column("cycles/s", justify="right")
    rtl.add_column("of the bare loop", justify="right")
    bare, library, ratio = library_rates(config)
    rtl.add_row("bare C++ Verilator loop", f"{bare:,.0f}", "1.00")
    rtl.add_row("library, from Python", f"{library:,.0f}", f"{ratio:.2f}")
    if importlib.util.find_spec("tb") and importlib.util.find_spec("cocotb"):
        from tb.rate import measure

        cocotb = measure(config)["cycles_per_second"]
        rtl.add_row("cocotb", f"{cocotb:,.0f}", f"{cocotb / bare:.4f}")
    else:
        rtl.add_row("cocotb", "run in the source tree, with cocotb", "-")
    console.print(rtl)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
