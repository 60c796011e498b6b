"""One training run in one folder: the trainer with a progress bar, and what it came to."""

import contextlib
import functools
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from golden import backend, curve, device, tablefile
from golden.array import GoldenArray, SynapseArray
from golden.coder import IDEAL, CoderConfig
from golden.config import ArrayConfig
from golden.data.split import PARTS
from golden.device import Device
from golden.environment import Conditions
from golden.files import alone, write_atomically
from golden.lockstep import LockstepArray, Mismatch
from golden.nonideal import NonIdealities
from golden.optim import OPTIMISERS
from golden.ptable import tanh_table
from golden.tablefile import TableFile
from golden.train import BEST, CHECKPOINT, METRICS, WEIGHTS, TrainConfig, Trainer
from spintrit import onchip, settings, spent
from spintrit.console import Console, simulating
from spintrit.onchip import Chip
from spintrit.picture import draw_run
from spintrit.records import PICTURE, SUMMARY, Run
from spintrit.settings import CONFIG, TABLE, Init
from spintrit.source import Source, resumed
from spintrit.spent import COUNTED
from spintrit.version import __version__
from spintrit.work import Stopped, Work

CLOCK, WORK = "seconds.json", "work.json"
RUN_FILES = (CONFIG, SUMMARY, PICTURE, TABLE, CLOCK, WORK, CHECKPOINT, METRICS, WEIGHTS, BEST)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What the arrays are made of.

    Parameters
    ----------
    device : str or Device
        A device, its name or TOML file (see ``golden.device.load``), or ``IDEAL``. Empty: the
        table's own device, or "default" without a table.
    table : Path, optional
        A table file. Switching probabilities come from it, reads and ageing from the device.
    coder : CoderConfig
    nonideal : NonIdealities
    """

    device: str | Device = ""
    table: Path | None = None
    coder: CoderConfig = field(default_factory=CoderConfig)
    nonideal: NonIdealities = field(default_factory=NonIdealities)


def environment(
    cells: Cells, array: ArrayConfig, seed: int, console: Console
) -> tuple[Conditions, TableFile]:
    """The environment of a run's arrays and the table file that tells of it.

    Raises
    ------
    TypeError, ValueError, OSError
        If device, table or settings cannot be had together.
    """
    coder, settings, table, junction = cells.coder, cells.nonideal, None, None
    if cells.table and cells.device == IDEAL:
        raise ValueError(f"device = {IDEAL!r} has no resistances that could go beside a table")
    if cells.table or cells.device == IDEAL:
        for name in ("coder", "step_s"):
            value = getattr(coder, name)
            if value != getattr(CoderConfig(), name):
                fixed = "a table, which is fixed" if cells.table else f"device {IDEAL}"
                raise ValueError(f"{name} = {value!r} cannot be had with {fixed}")
    provenance: dict[str, Any] = {**asdict(coder), "nonideal": asdict(settings)}
    shape = None
    if cells.table:
        kept = tablefile.load(cells.table)
        table, junction, provenance = kept.table, kept.device, kept.provenance
        if cells.device:
            measured = {"v_write_v": "voltage_v", "t_write_s": "full_s"}
            pulses = {k: provenance[v] for k, v in measured.items() if v in provenance}
            junction = replace(_device(cells.device), **pulses)
        if junction is None and settings.beside_table:
            name = settings.beside_table[0]
            raise ValueError(
                f"{name} = {getattr(settings, name)} needs a device for reads and ageing, and "
                f"table {cells.table} has none: give --device NAME or FILE.toml beside --table, "
                "or make the table with device fit --device"
            )
        # The table stands for the switching; reads and ageing are the device's own.
        shape = curve.formula(junction) if junction else None
        made = provenance.get("steepness", coder.steepness)
        if made != coder.steepness:
            raise ValueError(
                f"steepness = {coder.steepness:g} cannot be had with a table made for {made}"
            )
    elif cells.device == IDEAL:
        table = tanh_table(array, coder.steepness)
        provenance = {"coder": IDEAL, "steepness": coder.steepness}
    else:
        junction = _device(cells.device or "default")
        shape = curve.load(junction, simulating=simulating(junction.name, console))
        provenance |= {"curve": shape.provenance}
    around = Conditions(array, shape, settings, coder, table=table, seed=seed)
    return around, TableFile(around.table, junction, provenance)


def _device(named: str | Device) -> Device:
    return named if isinstance(named, Device) else device.load(named)


def versions(compute: str) -> dict[str, str]:
    """The versions of the software that computes a run, by name."""
    own = {"python": platform.python_version(), "spintrit": __version__}
    names = ["numpy"] + (["torch"] if compute != "numpy" else [])
    return own | {n: metadata.version(n) for n in names}


def maker(kind: str) -> Callable[[ArrayConfig], SynapseArray]:
    """What makes arrays of a kind: "golden", "rtl", or "both" in lock step."""
    if kind in ("golden", "fast"):
        return GoldenArray
    from sim import library  # the golden array alone needs no hardware tools
    from sim.array import RtlArray

    built = functools.cache(library.build)  # even to find it built takes seconds
    if kind == "rtl":
        return lambda config: RtlArray(config, built(config))
    return lambda config: LockstepArray(GoldenArray(config), RtlArray(config, built(config)))


def run(
    kind: str,
    source: Source,
    config: TrainConfig,
    array: ArrayConfig,
    out: Path,
    *,
    cells: Cells | None = None,
    compute: str = "numpy",
    chip: Chip | None = None,
    init: Init | None = None,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train on arrays of ``kind`` and leave everything in the folder ``out``.

    metrics.jsonl, checkpoint.npz, weights.npz and best.npz are the trainer's; config.json,
    summary.json, seconds.json (at the end of each epoch, all processes of the run together),
    work.json (cycles and comparisons likewise, of RTL and accelerators), learning.png and
    table.json are added here. ``compute`` is the back end of whole
    matrices, kind "fast" (see ``golden.backend``). ``init`` names a run whose weights this one
    starts from. A run that is resumed takes table and device from its own table.json, and may go on
    with more epochs than it had.

    Returns
    -------
    dict
        The content of summary.json.

    Raises
    ------
    ValueError
        If ``out`` holds a run already and neither ``resume`` nor ``overwrite`` is given, if another
        process runs in it, if a resumed run has other settings, or for any argument that the
        trainer refuses.
    golden.lockstep.Mismatch
        If the RTL differs from the golden model; summary.json tells the difference.
    OSError
        If the folder cannot be written.
    RuntimeError
        If the RTL gives no answer, or an error.
    """
    console = console or Console()
    held = [name for name in RUN_FILES if (out / name).exists()]
    if held and not (resume or overwrite):
        raise ValueError(
            f"out {str(out)!r} holds a run already ({held[0]}): give --resume or --overwrite"
        )
    cells = cells or Cells()
    given = settings.settings(kind, source, config, array, cells, compute, chip, init)
    told = settings.read(out) if resume else {}
    if resume:
        settings.agree(out, given)
        cells = settings.own_files(out, cells)
    if kind != "fast" and compute != "numpy":
        raise ValueError(f"backend {compute} needs array fast, not {kind}")
    if chip and kind == "fast":
        raise ValueError("on-chip training needs array golden, rtl, both or serial:PORT, not fast")
    board = None
    if kind.startswith(onchip.SERIAL) and not chip:
        from spintrit.serial_array import BoardArray  # the golden array alone needs no serial line

        board = BoardArray(onchip.line(kind.removeprefix(onchip.SERIAL)))
        array = board.like(array)
    if resume:
        source = resumed(source, out / CONFIG)
    split = source.load(console)
    around, kept = environment(cells, array, config.seed, console)
    if kind != "golden" and cells.nonideal.analog:
        raise ValueError(f"adc_..., backward_adc_... and wire_ohm need array golden, not {kind}")
    if chip and cells.nonideal.analog:
        raise ValueError("adc_..., backward_adc_... and wire_ohm are not for on-chip training")
    array = around.config
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out), contextlib.ExitStack() as begun:
        beginning = None
        if init:
            has = resume and (out / CHECKPOINT).exists()
            beginning = settings.start(init, told, begun=has, on_chip=chip is not None)
        if kind in ("rtl", "both") and not chip:
            from sim import library

            with console.status("compiling the RTL array (once per design) ..."):
                library.build(array)

        progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
        )
        task = progress.add_task("train", total=config.epochs, state="")

        def on_epoch(entry: dict[str, Any]) -> None:
            state = f"loss {entry['loss']:.3f}  validation {entry['val_accuracy']:6.2%}"
            progress.update(task, completed=entry["epoch"], state=state)
            if not console.is_terminal:  # where no bar moves
                console.print(f"epoch {entry['epoch']} of {config.epochs}  {state}")
            seconds.append(round(seconds[first_epoch] + time.perf_counter() - start, 3))
            write_atomically(out / CLOCK, json.dumps(seconds).encode())

        def on_batch(epoch: int, batch: int, batches: int) -> None:
            progress.update(task, completed=epoch - 1 + batch / batches)

        what = "compiling and programming the accelerator ..."
        with console.status(what) if chip else contextlib.nullcontext():
            trainer = Trainer(
                config, array, split, board or (GoldenArray if chip else maker(kind)), out,
                conditions=around,
                backend=backend.load(compute) if kind == "fast" else None,
                chip=onchip.network(kind, chip) if chip else None,
                start=beginning,
                on_batch=on_batch, on_epoch=on_epoch, on_save=lambda epoch: work.save(epoch),
            )  # fmt: skip
        first_epoch = trainer.resume() if resume else 0
        work = Work(out / WORK, kind, trainer.bank)
        work.start(first_epoch if trainer.resumed else None)
        seconds = spent.seconds(out / CLOCK, first_epoch)
        earlier = settings.earlier(out, told, config.epochs) if resume else []
        # What an earlier run came to must not stand beside the files of this one.
        for name in (SUMMARY, PICTURE, WEIGHTS, BEST):
            (out / name).unlink(missing_ok=True)
        tablefile.save(kept, out / TABLE)
        progress.update(task, completed=first_epoch)
        start = time.perf_counter()
        summary: dict[str, Any] = {
            "array": kind,
            "on_chip": chip is not None,
            **({"tiles": trainer.bank.size} if chip else {}),
            "backend": compute,
            "dataset": split.name,
            "data": {
                "name": source.dataset,
                "input_bits": split.input_bits,
                "shape": split.shape,
                "augment": split.augment,
                "classes": split.names,
                "digests": {part: split.digest(part) for part in PARTS},
            },
            "seed": config.seed,
            "versions": versions(compute),
            "train_config": asdict(config),
            "array_config": asdict(trainer.bank.config),
            "device": kept.device.name if kept.device else None,
            "table": kept.provenance,
            "nonideal": asdict(cells.nonideal),
            "arrays": trainer.bank.size,
            "synapses": sum(m.n_in * m.n_out for m in (w.matrix for w in trainer.network.weighted)),
            "optimiser_bytes_per_weight": OPTIMISERS[config.optimiser].bytes_per_weight(),
        }
        if beginning:
            summary["start"] = beginning.digest
        if earlier:
            summary["earlier"] = earlier
        text = json.dumps(summary | {"settings": given}, indent=2) + "\n"
        write_atomically(out / CONFIG, text.encode())
        begun.enter_context(_stoppable(out))
        summary |= {"resumed_after_epoch": first_epoch, "complete": False}
        try:
            with progress:
                result = trainer.run()
            if kind == "both":
                summary["differences"] = 0
            summary |= {
                "complete": True,
                "test_accuracy": result.test_accuracy,
                "last_test_accuracy": result.last_test_accuracy,
                "chosen_epoch": result.chosen_epoch,
                "val_accuracy": result.val_accuracy,
                "test_samples": len(split.y_test),
                "cells_switched": result.cells_switched,
                **({"cycles_by_formula": result.cycles} if kind in COUNTED or board else {}),
                **spent.spent(trainer, kept, cells.nonideal),
            }
        except Mismatch as mismatch:
            summary["differences"] = mismatch.count
            summary["first_difference"] = {
                "what": mismatch.what,
                **mismatch.where,
                "expected": mismatch.expected,
                "got": mismatch.got,
            }
            raise
        finally:
            summary |= work.report()
            summary["seconds"] = round(seconds[first_epoch] + time.perf_counter() - start, 3)
            write_atomically(out / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
        draw_run(Run(out.name, result.metrics, summary), out / PICTURE)
        return summary


@contextlib.contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Tell who sees a Ctrl-C which run goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(out) from None


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other processes from a run's folder; raises ValueError if one is at work in it."""
    try:
        with alone(out, wait=False):
            yield
    except BlockingIOError:
        raise ValueError(f"out {str(out)!r} is another process's, which runs in it") from None
