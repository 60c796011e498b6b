"""Speed, measured in one run: ``python -m spintrit.bench`` (one thread: ``spintrit bench``)."""

import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.table import Table

from golden import backend, protocol, spec
from golden.config import ArrayConfig
from golden.optim import OPTIMISERS
from spintrit.bench_training import LEARNING_RATES, golden_step, step_cost, torch_step
from spintrit.console import Console

DENSE = ((784,), "512FC")
DENSE_ROWS = (  # batch, optimiser, PyTorch's, learning rates
    (1, "gradient", "SGD", LEARNING_RATES),
    (64, "gradient", "SGD", LEARNING_RATES),
    (64, "gradient", "SGD", (0.006,)),
    (64, "adam", "Adam", LEARNING_RATES),
)
CNN_SHAPE, CNN_BATCH = (28, 28, 1), 200
VGG_SHAPE, VGG_BATCH = (32, 32, 3), 100
CHIP_ARRAY, CHIP_INPUTS, CHIP_HIDDEN, CHIP_BATCH = ArrayConfig(), 64, 128, 200
SEED = 0
ROUNDS = 7
FORWARD_VECTORS = 2000


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


def _dense(has_torch: bool) -> Table:
    """Training of 784-512-10."""
    table = Table(title=f"Training dense {DENSE[0][0]}-{DENSE[1]}, one thread, samples per second")
    for column in (
        "batch",
        "optimiser, learning rate",
        "golden",
        "PyTorch fp32",
        "ratio",
    ):
        table.add_column(column, justify="left" if "," in column else "right")
    for batch, optimiser, other, rates in DENSE_ROWS:
        told = " to ".join(f"{rate:g}" for rate in dict.fromkeys((rates[0], rates[-1])))
        step = golden_step(*DENSE, batch, optimiser, rates=rates)
        ours = per_second(step, batch)
        row = [str(batch), f"{optimiser}, {told}", f"{ours:,.0f}", "not installed", "-"]
        if has_torch:
            theirs = per_second(torch_step(*DENSE, batch, optimiser), batch)
            row[3:] = [f"{other} {theirs:,.0f}", f"{ours / theirs:.2f}"]
        table.add_row(*row)
    return table


def _convolutions(has_torch: bool) -> Table:
    """Training of mnist-cnn with Adam."""
    table = Table(title=f"Training mnist-cnn, batch {CNN_BATCH}, Adam, one thread")
    for column in ("", "samples per second", "seconds for 55,000", "of PyTorch fp32"):
        table.add_column(column, justify="right" if column else "left")
    arguments = (CNN_SHAPE, spec.load("mnist-cnn")[0], CNN_BATCH, "adam")
    rates = {"golden, numpy": per_second(golden_step(*arguments), CNN_BATCH)}
    if has_torch:
        step = golden_step(*arguments, backend=backend.load("torch"))
        rates["golden, PyTorch back end"] = per_second(step, CNN_BATCH)
        rates["PyTorch fp32"] = per_second(torch_step(*arguments), CNN_BATCH)
    for name, rate in rates.items():
        ratio = f"{rate / rates['PyTorch fp32']:.2f}" if has_torch else "not installed"
        table.add_row(name, f"{rate:,.0f}", f"{55_000 / rate:.1f}", ratio)
    return table


def _full_width(has_torch: bool) -> Table:
    """Training of cifar-vgg at its full width with Adam."""
    network = spec.load("cifar-vgg")[0]
    table = Table(title=f"Training cifar-vgg, full width, batch {VGG_BATCH}, Adam, one thread")
    for column in ("", "seconds a step", "peak memory, GiB"):
        table.add_column(column, justify="right" if column else "left")
    for compute in ("numpy", "torch") if has_torch else ("numpy",):
        seconds, memory = step_cost(VGG_SHAPE, network, VGG_BATCH, "adam", compute)
        table.add_row(f"golden, {compute}", f"{seconds:.2f}", f"{memory:.2f}")
    return table


def _on_chip() -> Table:
    """Training steps of a dense network by the accelerator: its twin and its RTL."""
    from golden.accel.compiler import Plan, Settings, sized
    from golden.accel.network import ChipNetwork
    from golden.ptable import tanh_table
    from golden.spec import Block
    from spintrit.onchip import accelerator

    blocks, shape, batch = [Block(CHIP_HIDDEN), Block(10)], (CHIP_INPUTS,), CHIP_BATCH
    config = sized(blocks, shape, CHIP_ARRAY, 1, batch)
    plan = Plan(blocks, shape, config, batch, Settings(dead_zone=2.0))
    rng = np.random.default_rng(SEED)
    u = rng.integers(-1, 2, (batch, *shape)).astype(np.int8)
    labels = rng.integers(0, 10, batch)
    title = f"On chip, dense {CHIP_INPUTS}-{CHIP_HIDDEN}-10, batch {batch}, one thread"
    table = Table(title=title)
    for column in ("", "samples per second", "clock cycles per second"):
        table.add_column(column, justify="right" if column else "left")
    for kind, name in (("golden", "integer twin, numpy"), ("rtl", "RTL library")):
        block = accelerator(kind, config)
        network = ChipNetwork(block, plan, tanh_table(config.array), SEED)
        network.initialise(np.random.default_rng(SEED), 0.1)

        def step(network: ChipNetwork = network) -> object:
            return network.train_step(u, labels, OPTIMISERS["gradient"](), 0.01, rng)

        before = block.counts().cycles
        step()
        cycles = block.counts().cycles - before
        rate = per_second(step, batch)
        table.add_row(name, f"{rate:,.0f}", f"{rate / batch * cycles:,.0f}")
    return table


def main(config: ArrayConfig | None = None) -> int:
    """Measure and print everything; ``config`` is the RTL array's, 64 x 64 by default."""
    console = Console()
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        import torch

        torch.set_num_threads(1)
    console.print(_dense(has_torch))
    console.print(_convolutions(has_torch))
    console.print(_full_width(has_torch))
    console.print(_on_chip())

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
