"""What the network of a finished run makes of samples, on any kind of array."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from golden import backend, checks, curve, tablefile
from golden.array import GoldenArray, SynapseArray
from golden.coder import CoderConfig
from golden.config import ArrayConfig
from golden.data.split import PARTS
from golden.environment import Environment
from golden.fast import FastPool
from golden.lockstep import LockstepArray, Mismatch
from golden.matrix import ArrayPool
from golden.network import EVALUATION_BATCH, Network
from golden.nonideal import NonIdealities
from golden.ptable import tanh_table
from spintrit.console import Console
from spintrit.run import TABLE
from spintrit.trained import Trained

_RTL_BATCH = {1: 16, 3: 1}  # by axes of a sample; few, so that progress shows
# What decides an analog read; the cells that training left need nothing else of the environment.
_READS = (
    "resistance_spread", "temperature_k", "adc_bits", "adc_range", "adc_noise",
    "backward_adc_bits", "backward_adc_range", "backward_adc_noise", "wire_ohm",
)  # fmt: skip


def evaluate(
    trained: Trained,
    kind: str = "",
    *,
    compute: str = "numpy",
    root: Path | None = None,
    part: str = "test",
    first: int = 0,
    count: int = 0,
    rows: int | None = None,
    cols: int | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Classify samples by a trained network.

    On "rtl" the golden model computes the same scores, and they must be equal to the last bit; on
    "both" every value is compared as the arrays return it.

    Parameters
    ----------
    kind : {"golden", "fast", "rtl", "both", ""}
        What holds the synapses; by default whole matrices, or golden arrays if reads are analog.
    compute : str
        Back end of kind "fast".
    root : Path, optional
        Where the data are, see ``golden.data.load``.
    part : {"train", "val", "test"}
    first, count : int
        Samples of that part; a count of 0 stands for all from ``first`` on.
    rows, cols : int, optional
        Of the arrays; the run's by default.

    Returns
    -------
    dict
        Accuracy, samples, and what was compared and spent, by name; ready for JSON.

    Raises
    ------
    ValueError
        If an argument is wrong, or the data are not those of the run.
    golden.lockstep.Mismatch
        If the RTL differs from the golden model.
    OSError, RuntimeError
        If data are missing, or the RTL cannot be compiled or gives no answer.
    """
    console = console or Console()
    analog = trained.nonideal.analog
    kind = kind or ("golden" if analog else "fast")
    checks.choice("part", part, PARTS)
    if kind != "fast" and compute != "numpy":
        raise ValueError(f"backend {compute} needs array fast, not {kind}")
    if analog and kind != "golden":
        raise ValueError(f"the run's analog reads need array golden, not {kind}")
    if analog and (rows, cols) != (None, None):
        raise ValueError("the run's analog reads are those of arrays of its own size")
    config = trained.resized(rows, cols)
    split = replace(trained.source, root=root).load(console)
    if split.shape != trained.shape or split.classes != trained.classes:
        raise ValueError(
            f"{split.name} has inputs of shape {split.shape} and {split.classes} classes, the run "
            f"in {trained.folder} {trained.shape} and {trained.classes}"
        )
    x, y = getattr(split, f"x_{part}"), getattr(split, f"y_{part}")
    first = checks.integer("first", first, 0, len(y) - 1)
    count = checks.integer("count", count, 0, len(y) - first) or len(y) - first
    x, y = x[first : first + count], y[first : first + count]
    told: dict[str, Any] = {
        "array": "golden" if trained.tiles and kind == "fast" else kind,
        "backend": compute,
        "dataset": split.name,
        "part": part,
        "first": first,
        "samples": count,
        "network": trained.config.network,
        "weights": trained.which,
        "rows": config.rows,
    }
    if trained.tiles:
        from spintrit.chip_eval import evaluate_on_chip

        return told | evaluate_on_chip(trained, kind, config, x, y, console)

    pool: ArrayPool
    if kind == "fast":
        seed, calculator = trained.config.seed, backend.load(compute)
        pool = FastPool(config, tanh_table(config), seed, backend=calculator)
    else:
        pool = _arrays(trained, kind, config, console)
        config = pool.config
    with console.status("programming the arrays ..."):
        network = trained.network(pool)
    oracle = trained.network(FastPool(config, pool.table, 0)) if kind == "rtl" else None

    before, start = _rtl(kind, pool), time.perf_counter()
    size = (_RTL_BATCH if kind in ("rtl", "both") else EVALUATION_BATCH)[x.ndim - 1]
    right = compared = 0
    for at, scores in _scores(network, x, size, first, console):
        with trained.fitting():
            checks.finite("scores", scores, 2)
        if oracle:
            expected = oracle.forward(x[at : at + size])
            compared += _same(expected, scores, first + at)
        right += int(np.count_nonzero(scores.argmax(axis=1) == y[at : at + size]))
    after, seconds = _rtl(kind, pool), time.perf_counter() - start
    for array in pool.arrays if kind == "both" else []:
        array.verify()
    result = told | {
        "rows": config.rows,
        "cols": config.cols,
        "arrays": pool.size,
        "accuracy": right / count,
        "right": right,
    }
    if kind == "both":
        compared = sum(array.compared for array in pool.arrays)
    if kind in ("rtl", "both"):
        result |= {"values_compared" if kind == "both" else "scores_compared": compared}
        cycles, rtl_seconds = after[0] - before[0], after[1] - before[1]
        result |= {
            "differences": 0,
            "rtl_cycles": cycles,
            "rtl_cycles_per_sample": round(cycles / count),
            "rtl_seconds": round(rtl_seconds, 3),
            "rtl_cycles_per_second": round(cycles / rtl_seconds) if rtl_seconds else 0,
        }
    return result | {"seconds": round(seconds, 3)}


def _arrays(trained: Trained, kind: str, config: ArrayConfig, console: Console) -> ArrayPool:
    """Arrays of a kind other than "fast"."""
    seed = trained.config.seed
    if trained.nonideal.analog:
        around = converters(trained)
        return ArrayPool(GoldenArray, around.config, around.table, seed, around.equip)
    make: Callable[[ArrayConfig], SynapseArray] = GoldenArray
    if kind in ("rtl", "both"):
        from sim import library
        from sim.array import RtlArray

        with console.status("compiling the RTL array (once per design) ..."):
            path = library.build(config)  # which takes seconds, and there may be many arrays

        def make(config: ArrayConfig) -> SynapseArray:
            rtl = RtlArray(config, path)
            return rtl if kind == "rtl" else LockstepArray(GoldenArray(config), rtl)

    return ArrayPool(make, config, tanh_table(config), seed)


def converters(trained: Trained) -> Environment:
    """The environment of a run with analog reads, as far as reads go."""
    path = trained.folder / TABLE
    kept = tablefile.load(path)
    if kept.device is None:
        raise ValueError(f"{path} holds no device, which analog reads need")
    settings = NonIdealities(**{name: getattr(trained.nonideal, name) for name in _READS})
    if not settings.in_table:
        return Environment(
            trained.array, curve.formula(kept.device), settings, CoderConfig(),
            table=kept.table, seed=trained.config.seed,
        )  # fmt: skip
    # Such a run has its table from device and coder; of what it does to the cells nothing is left.
    made = {name: kept.provenance[name] for name in ("coder", "steepness", "step_s")}
    return Environment(
        trained.array, curve.formula(kept.device), settings, CoderConfig(**made),
        seed=trained.config.seed,
    )  # fmt: skip


def _scores(
    network: Network, x: np.ndarray, size: int, first: int, console: Console
) -> Iterator[tuple[int, np.ndarray]]:
    """Scores of ``size`` samples at a time with the place of the first in ``x``, whose own is
    ``first`` of its part; with a progress bar."""
    progress = Progress(
        TextColumn("sample"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip
    task = progress.add_task("samples", total=len(x))
    with progress:
        for at in range(0, len(x), size):
            end = min(at + size, len(x))
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at them
                    scores = network.backend.host(network.forward(x[at:end]))
            except Mismatch as mismatch:
                raise mismatch.of(samples=f"{first + at} to {first + end - 1}") from None
            yield at, scores
            progress.update(task, completed=end)


def _same(expected: np.ndarray, scores: np.ndarray, first: int) -> int:
    """How many scores were compared; raises Mismatch at the first that is not equal."""
    differ = expected != scores
    if differ.any():
        sample, label = (int(i) for i in np.argwhere(differ)[0])
        raise Mismatch(
            "score",
            {"sample": first + sample, "class": label},
            expected[sample, label].item(),
            scores[sample, label].item(),
            int(np.count_nonzero(differ)),
        )
    return scores.size


def _rtl(kind: str, pool: ArrayPool) -> tuple[int, float]:
    """Cycles and seconds of the RTL so far."""
    if kind not in ("rtl", "both"):
        return 0, 0.0
    arrays = [array.other if kind == "both" else array for array in pool.arrays]
    return sum(a.counters.cycles for a in arrays), math.fsum(a.seconds for a in arrays)
