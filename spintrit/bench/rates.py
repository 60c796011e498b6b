"""Speed, measured in one run. ``spintrit bench`` runs this module on one thread."""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from golden import backend
from golden.array import frames
from golden.config import ArrayConfig
from golden.network import notation
from spintrit.bench.training import LEARNING_RATES, golden_step, step_cost, torch_step
from spintrit.cli.options import add_json, silent, write_json
from spintrit.cli.parser import Parser
from spintrit.cli.status import guarded
from spintrit.outputs import writable
from spintrit.report.console import Console

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


@dataclass(frozen=True)
class Effort:
    """How long is measured.

    Parameters
    ----------
    seconds : float
        Time for the measurement of one rate, all rounds together.
    rounds : int
        Rounds of a rate; its result is their median.
    vectors : int
        Input vectors of a FORWARD command.
    all : bool
        Whether to measure the slow rows, too: cifar-vgg at its full width, and cocotb.
    duration : str
        Duration of the whole benchmark, as text that is printed at the start.
    """

    seconds: float
    rounds: int
    vectors: int
    all: bool
    duration: str


FULL = Effort(
    seconds=1.0,
    rounds=7,
    vectors=2000,
    all=True,
    duration="some two minutes on an idle machine, three more where RTL is to be compiled",
)
QUICK = Effort(
    seconds=0.2,
    rounds=3,
    vectors=500,
    all=False,
    duration="some 20 seconds on an idle machine, two minutes more where RTL is to be compiled",
)


@dataclass
class Result:
    """A table of measured figures: columns with the format of their numbers, and rows of numbers,
    texts and None."""

    title: str
    columns: dict[str, str]
    rows: list[list[Any]] = field(default_factory=list)

    def table(self) -> Table:
        """The result as a table for a terminal."""
        shown = Table(title=self.title)
        for name, form in self.columns.items():
            shown.add_column(name, justify="right" if form else "left")
        for row in self.rows:
            forms = zip(row, self.columns.values(), strict=True)
            shown.add_row(
                *("-" if v is None else v if isinstance(v, str) else f.format(v) for v, f in forms)
            )
        return shown

    def as_json(self) -> dict[str, Any]:
        """The result for JSON."""
        names = list(self.columns)
        return {
            "title": self.title,
            "rows": [dict(zip(names, row, strict=True)) for row in self.rows],
        }


def per_second(step: Callable[[], object], count: int, effort: Effort = FULL) -> float:
    """``count`` times steps a second: the median of all rounds, after a warm-up."""
    start = time.perf_counter()
    step()
    rounds = effort.rounds
    repeats = max(1, int(effort.seconds / rounds / (time.perf_counter() - start)))
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        rates.append(count * repeats / (time.perf_counter() - start))
    return statistics.median(rates)


def library_rates(config: ArrayConfig, effort: Effort = FULL) -> tuple[float, float]:
    """FORWARD cycles per second of the bare Verilator loop and through the array interface, taken
    in turn; the median of each."""
    from sim.array import RtlArray

    rng = np.random.default_rng(SEED)
    bits = rng.integers(0, 2, (config.cols, config.rows, config.cells))
    u = rng.integers(-1, 2, (effort.vectors, config.rows)).astype(np.int8)
    cycles = frames.cycles(frames.Op.FORWARD, config, config.cols, len(u))
    array = RtlArray(config)
    array.program(bits)
    rates = []
    for _ in range(effort.rounds + 1):
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
    return bare_rate, library_rate


def _dense(has_torch: bool, effort: Effort) -> Result:
    """Training of 784-512-10."""
    found = Result(
        f"Training dense {DENSE[0][0]}-{DENSE[1]}, one thread, samples per second",
        {"batch": "{}", "optimiser, learning rate": "", "golden": "{:,.0f}",
         "PyTorch fp32": "{:,.0f}", "PyTorch's optimiser": "", "ratio": "{:.2f}"},
    )  # fmt: skip
    for batch, optimiser, other, rates in DENSE_ROWS:
        span = " to ".join(f"{rate:g}" for rate in dict.fromkeys((rates[0], rates[-1])))
        ours = per_second(golden_step(*DENSE, batch, optimiser, rates=rates), batch, effort)
        theirs = None
        if has_torch:
            theirs = per_second(torch_step(*DENSE, batch, optimiser), batch, effort)
        found.rows.append(
            [batch, f"{optimiser}, {span}", ours, theirs, other, theirs and ours / theirs]
        )
    return found


def _convolutions(has_torch: bool, effort: Effort) -> Result:
    """Training of mnist-cnn with Adam."""
    found = Result(
        f"Training mnist-cnn, batch {CNN_BATCH}, Adam, one thread",
        {"": "", "samples per second": "{:,.0f}", "seconds for 55,000": "{:.1f}",
         "of PyTorch fp32": "{:.2f}"},
    )  # fmt: skip
    arguments = (CNN_SHAPE, notation.load("mnist-cnn")[0], CNN_BATCH, "adam")
    rates = {"golden, numpy": per_second(golden_step(*arguments), CNN_BATCH, effort)}
    if has_torch:
        step = golden_step(*arguments, backend=backend.load("torch"))
        rates["golden, PyTorch back end"] = per_second(step, CNN_BATCH, effort)
        rates["PyTorch fp32"] = per_second(torch_step(*arguments), CNN_BATCH, effort)
    for name, rate in rates.items():
        ratio = rate / rates["PyTorch fp32"] if has_torch else None
        found.rows.append([name, rate, 55_000 / rate, ratio])
    return found


def _full_width(has_torch: bool) -> Result:
    """Training of cifar-vgg at its full width with Adam."""
    network = notation.load("cifar-vgg")[0]
    found = Result(
        f"Training cifar-vgg, full width, batch {VGG_BATCH}, Adam, one thread",
        {"": "", "seconds a step": "{:.2f}", "peak memory, GiB": "{:.2f}"},
    )
    for compute in ("numpy", "torch") if has_torch else ("numpy",):
        cost = step_cost(VGG_SHAPE, network, VGG_BATCH, "adam", compute)
        found.rows.append([f"golden, {compute}", *cost])
    return found


def _on_chip(effort: Effort) -> Result:
    """Training steps of a dense network by the accelerator: its twin and its RTL."""
    from golden.accel.compiler import Plan, Settings, sized
    from golden.accel.network import ChipNetwork
    from golden.network.notation import Block
    from golden.pulse.table import tanh_table
    from golden.targets import Golden
    from spintrit.targets import Rtl

    blocks, shape, batch = [Block(CHIP_HIDDEN), Block(10)], (CHIP_INPUTS,), CHIP_BATCH
    config = sized(blocks, shape, CHIP_ARRAY, 1, batch)
    plan = Plan(blocks, shape, config, batch, Settings(dead_zone=2.0))
    rng = np.random.default_rng(SEED)
    u = rng.integers(-1, 2, (batch, *shape)).astype(np.int8)
    labels = rng.integers(0, 10, batch)
    title = f"On chip, dense {CHIP_INPUTS}-{CHIP_HIDDEN}-10, batch {batch}, one thread"
    found = Result(
        title, {"": "", "samples per second": "{:,.0f}", "clock cycles per second": "{:,.0f}"}
    )
    for target, name in ((Golden(), "integer twin, numpy"), (Rtl(), "RTL library")):
        block = target.accelerator(config)
        network = ChipNetwork(block, plan, tanh_table(config.array), SEED)
        network.initialise(np.random.default_rng(SEED), 0.1)

        def step(network: ChipNetwork = network) -> object:
            return network.train_step(u, labels, 0.01)

        before = block.counts().cycles
        step()
        cycles = block.counts().cycles - before
        rate = per_second(step, batch, effort)
        found.rows.append([name, rate, rate / batch * cycles])
    return found


def _rtl(config: ArrayConfig, effort: Effort) -> Result:
    """Clock cycles of the RTL array by what drives it."""
    found = Result(
        f"RTL, {config.rows} x {config.cols} array, FORWARD, cycles per second",
        {"driven by": "", "cycles/s": "{:,.0f}", "of the bare loop": "{:.2f}"},
    )
    bare, library = library_rates(config, effort)
    found.rows.append(["bare C++ Verilator loop", bare, 1.0])
    found.rows.append(["library, from Python", library, library / bare])
    if not effort.all:
        return found
    if importlib.util.find_spec("tb") and importlib.util.find_spec("cocotb"):
        cocotb = _cocotb_rate(config)
        found.rows.append(["cocotb", cocotb, cocotb / bare])
    else:
        found.rows.append(["cocotb (runs in the source tree, with cocotb)", None, None])
    return found


def _cocotb_rate(config: ArrayConfig) -> float:
    """Cycles per second under cocotb, by ``tb.rate`` of the source tree in a process of its own.

    Raises
    ------
    RuntimeError
        If that process fails.
    """
    found = importlib.util.find_spec("tb")
    root = Path((found and found.origin) or "").parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "tb.rate", json.dumps(asdict(config))],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"tb.rate failed: {(done.stderr.splitlines() or [''])[-1]}")
    return float(json.loads(done.stdout.splitlines()[-1])["cycles_per_second"])


def measured(config: ArrayConfig, effort: Effort) -> Iterator[Result]:
    """Every table as soon as it is there; ``config`` is the RTL array's."""
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        import torch

        torch.set_num_threads(1)
    yield _dense(has_torch, effort)
    yield _convolutions(has_torch, effort)
    if effort.all:
        yield _full_width(has_torch)
    yield _on_chip(effort)
    yield _rtl(config, effort)


def main(arguments: argparse.Namespace, config: ArrayConfig | None = None) -> int:
    """Measure and print everything; ``config`` is the RTL array's, 64 x 64 by default."""
    writable(arguments.json)
    effort, found = QUICK if arguments.quick else FULL, []
    console = Console(stderr=silent(arguments))
    console.print(f"This takes {effort.duration}.", highlight=False)
    for result in measured(config or ArrayConfig(), effort):
        console.print(result.table())
        found.append(result.as_json())
    write_json(arguments, found)
    return 0


if __name__ == "__main__":
    parser = Parser(prog="spintrit bench")
    parser.add_argument("--quick", action="store_true")
    add_json(parser)
    raise SystemExit(guarded(lambda: main(parser.parse_args())))
