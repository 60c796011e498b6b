"""Speed, measured in one run. ``spintrit bench`` runs this module on one thread."""

import argparse
import dataclasses
import importlib.util
import json
import os
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
from spintrit.bench import machine
from spintrit.bench.training import (
    Workload,
    golden_step,
    products_step,
    torch_settings,
    torch_step,
)
from spintrit.cli.options import add_json, silent, write_json
from spintrit.cli.parser import Parser
from spintrit.cli.status import guarded
from spintrit.outputs import writable
from spintrit.report.console import Console

DENSE = ((784,), "512FC")
WORKLOADS = (
    Workload("784-512-10, batch 1, state-free, 0.002 to 1e-5", *DENSE, 1, "gradient"),
    Workload("784-512-10, batch 64, state-free, 0.002 to 1e-5", *DENSE, 64, "gradient"),
    Workload("784-512-10, batch 64, state-free, 0.006", *DENSE, 64, "gradient", (0.006,)),
    Workload("784-512-10, batch 64, Adam, 0.002 to 1e-5", *DENSE, 64, "adam"),
    Workload("mnist-cnn, batch 200, Adam", (28, 28, 1), notation.load("mnist-cnn")[0], 200, "adam"),
    Workload(
        "cifar-vgg, batch 100, Adam", (32, 32, 3), notation.load("cifar-vgg")[0], 100, "adam",
        slow=True,
    ),
)  # fmt: skip
CHIP_ARRAY, CHIP_INPUTS, CHIP_HIDDEN, CHIP_BATCH = ArrayConfig(), 64, 128, 200
SEED = 0
_RATE = "rate"
_HEADINGS = {
    "row": "",
    "numpy_samples_per_second": "numpy",
    "samples_per_second": "golden",
    "pytorch_samples_per_second": "PyTorch fp32",
    "pytorch_bf16_samples_per_second": "bf16",
    "products_samples_per_second": "products",
    "share_of_products": "share",
    "clock_cycles_per_second": "clock cycles/s",
}


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
    duration="some three minutes on an idle machine, three more where RTL is to be compiled",
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
    """A table of measured figures: columns with the format of their numbers, "" for text, and rows
    of numbers, texts and None. The columns' names are those in JSON."""

    title: str
    columns: dict[str, str]
    rows: list[list[Any]] = field(default_factory=list)

    def table(self) -> Table:
        """The result as a table for a terminal."""
        shown = Table(title=self.title)
        for name, form in self.columns.items():
            heading = _HEADINGS.get(name, name.replace("_", " "))
            shown.add_column(heading, justify="right" if form else "left")
        for row in self.rows:
            pairs = zip(row, self.columns.values(), strict=True)
            shown.add_row(*(_shown(value, form) for value, form in pairs))
        return shown

    def objects(self) -> list[dict[str, Any]]:
        """The rows for JSON."""
        names = list(self.columns)
        return [{"title": self.title, **dict(zip(names, row, strict=True))} for row in self.rows]


def _shown(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if form == _RATE:  # three digits at least
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return form.format(value) if form else str(value)


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


def _training(has_torch: bool, effort: Effort) -> Result:
    """Training steps beside PyTorch's, and the bound that products alone set."""
    found = Result(
        "Training, one thread, samples per second",
        {"row": "", "numpy_samples_per_second": _RATE, "samples_per_second": _RATE,
         "pytorch_samples_per_second": _RATE, "ratio": "{:.2f}",
         "pytorch_bf16_samples_per_second": _RATE, "products_samples_per_second": _RATE,
         "share_of_products": "{:.0%}"},
    )  # fmt: skip
    for work in WORKLOADS:
        if not work.slow or effort.all:
            few = dataclasses.replace(effort, rounds=3) if work.slow else effort
            found.rows.append([work.name, *_row(work, has_torch, few)])
    return found


def _row(work: Workload, has_torch: bool, effort: Effort) -> list[float | None]:
    """Samples a second: golden model in numpy, its faster back end, PyTorch in fp32; the ratio of
    the two; PyTorch in bfloat16, and the products of a step alone; the share of these."""

    def rate(step: Callable[[], object]) -> float:
        return per_second(step, work.batch, effort)

    ours = rate(golden_step(work, backend.load("numpy")))
    if not has_torch:
        return [ours, ours, None, None, None, None, None]
    torch = backend.load("torch")
    faster = max(ours, rate(golden_step(work, torch)))
    theirs = max(rate(torch_step(work, **settings)) for settings in torch_settings(work))
    half = max(rate(torch_step(work, bf16=True, **settings)) for settings in torch_settings(work))
    bound = rate(products_step(work, torch))
    return [ours, faster, theirs, faster / theirs, half, bound, faster / bound]


def _threads(effort: Effort) -> Result:
    """Training of the slow network by the PyTorch back end, on one thread and on all."""
    import torch

    [work] = [work for work in WORKLOADS if work.slow]
    found = Result(
        f"Training, {work.name}, PyTorch back end",
        {"row": "", "samples_per_second": _RATE, "of_one_thread": "{:.2f}"},
    )
    few = dataclasses.replace(effort, rounds=5)
    step, before = golden_step(work, backend.load("torch")), torch.get_num_threads()
    rates = []
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        rates.append(per_second(step, work.batch, few))
        found.rows.append([f"threads: {threads}", rates[-1], rates[-1] / rates[0]])
    torch.set_num_threads(before)
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
        title, {"row": "", "samples_per_second": _RATE, "clock_cycles_per_second": "{:,.0f}"}
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
        {"row": "", "clock_cycles_per_second": "{:,.0f}", "of_the_bare_loop": "{:.2f}"},
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
    yield _training(has_torch, effort)
    if has_torch and effort.all:
        yield _threads(effort)
    yield _on_chip(effort)
    yield _rtl(config, effort)


def main(arguments: argparse.Namespace, config: ArrayConfig | None = None) -> int:
    """Measure and print everything; ``config`` is the RTL array's, 64 x 64 by default."""
    writable(arguments.json)
    effort, found = QUICK if arguments.quick else FULL, []
    here = machine.describe()
    console = Console(stderr=silent(arguments))
    console.print(
        f"{here['date']}, {here['cpu']}, integer units: {here['integer_units']}. This takes "
        f"{effort.duration}.",
        highlight=False,
    )
    for result in measured(config or ArrayConfig(), effort):
        console.print(result.table())
        found += [row | here for row in result.objects()]
    write_json(arguments, found)
    return 0


if __name__ == "__main__":
    parser = Parser(prog="spintrit bench")
    parser.add_argument("--quick", action="store_true")
    add_json(parser)
    raise SystemExit(guarded(lambda: main(parser.parse_args())))
