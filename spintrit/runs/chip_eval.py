"""Evaluation of a network that was trained on chip, on any kind of accelerator."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.network import ChipNetwork
from golden.array.lockstep import Mismatch
from golden.config import ArrayConfig
from golden.matrix.interface import Bank
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.targets import Golden, HostTarget
from golden.train.conditions import Conditions
from spintrit.progress import Progress
from spintrit.runs.trained import Trained
from spintrit.runs.work import compared

_BATCH = 100


def classify_on_chip(
    trained: Trained,
    target: HostTarget,
    array: ArrayConfig,
    x: np.ndarray,
    progress: Progress,
    around: Conditions | None = None,
    age: Callable[[Conditions, Bank], None] | None = None,
    seed: int = 0,
) -> tuple[dict[str, Any], np.ndarray]:
    """Classify samples with a network that an accelerator has trained.

    With target "rtl" the golden model classifies the samples, too, and its classes must be equal.
    In lock step all results are compared at once.

    Parameters
    ----------
    trained : Trained
    target : HostTarget
        Makes the accelerator.
    array : ArrayConfig
    x : ndarray
        Samples.
    around : Conditions, optional
        Makes cells that are unequal or stuck.
    age : callable, optional
        Changes the cells of a bank by storage time and read disturb, before the first read.
    seed : int
        Seed of these changes.

    Returns
    -------
    dict
        Comparisons and work, by name.
    ndarray of shape (samples,)
        Classes.

    Raises
    ------
    golden.array.lockstep.Mismatch
        If the RTL differs from the golden model.
    ValueError
        If the weights do not fit the network.
    OSError, RuntimeError
        If the RTL cannot be compiled or gives no answer.
    """
    begun, config, weights = time.perf_counter(), trained.config, trained.weights
    array = around.config if around else array
    blocks = [*notation.parse(config.network), Block(trained.classes)]
    batch = min(_BATCH, len(x))
    size = sized(blocks, x.shape[1:], array, trained.tiles, batch)
    settings = Settings(threshold=config.activation_threshold)

    def network(target: HostTarget) -> ChipNetwork:
        block = target.accelerator(size)
        plan = Plan(blocks, x.shape[1:], size, batch, settings)
        made = ChipNetwork(block, plan, tanh_table(size.array), seed)
        if around:
            for number, tile in enumerate(made.bank.arrays):
                around.equip(tile, number)
        with trained.fitting():
            made.set_weights(weights)
        if around and age:
            age(around, made.bank)
        return made

    with progress.status("compiling and programming the accelerator ..."):
        made = network(target)
    block = made.bank.accelerator
    start = time.perf_counter()
    with progress.status("classifying ..."):
        found = made.predict(x)
    result: dict[str, Any] = {
        "cols": size.array.cols,
        "arrays": trained.tiles,
    }
    if not target.simulated:
        result["cycles_by_formula"] = block.counts().cycles
    else:
        rtl_seconds = time.perf_counter() - start
        cycles = target.rtl(block).counts().cycles
        if target.compares:
            made.verify()
            result["values_compared"] = compared([block])
        else:
            _same(network(Golden()).predict(x), found)
            result["classes_compared"] = len(x)
        result |= {
            "differences": 0,
            "rtl_cycles": cycles,
            "rtl_cycles_per_sample": round(cycles / len(x)),
            "rtl_seconds": round(rtl_seconds, 3),
            "rtl_cycles_per_second": round(cycles / rtl_seconds),
        }
    return result | {"seconds": round(time.perf_counter() - begun, 3)}, found


def _same(expected: np.ndarray, found: np.ndarray) -> None:
    """Raise Mismatch at the first class that differs."""
    differ = expected != found
    if differ.any():
        at = int(differ.argmax())
        count = int(np.count_nonzero(differ))
        raise Mismatch("class", {"sample": at}, int(expected[at]), int(found[at]), count)
