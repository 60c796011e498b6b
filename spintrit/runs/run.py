"""One training run in one folder: the trainer with a progress bar, and the run's summary."""

import contextlib
import importlib
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from golden.array.lockstep import Mismatch
from golden.data import Split
from golden.data.split import PARTS
from golden.device import junction
from golden.device.junction import Device
from golden.files import alone, write_atomically
from golden.network.optim import OPTIMISERS
from golden.pulse import tablefile
from golden.pulse.tablefile import TableFile
from golden.train.conditions import Conditions
from golden.train.log import Log
from golden.train.trainer import BEST, CHECKPOINT, METRICS, WEIGHTS, Result, Trainer
from spintrit.progress import Progress
from spintrit.records import CONFIG, PICTURE, SUMMARY, Run
from spintrit.runs import settings, spent
from spintrit.runs.request import Request
from spintrit.runs.settings import DEVICE, TABLE
from spintrit.runs.source import resumed
from spintrit.runs.work import Stopped, Work
from spintrit.version import __version__

CLOCK, WORK = "seconds.json", "work.json"
RUN_FILES = (CONFIG, SUMMARY, PICTURE, TABLE, CLOCK, WORK, CHECKPOINT, METRICS, WEIGHTS, BEST)


def versions(compute: str) -> dict[str, str]:
    """The versions of the software that computes a run, by name."""
    own = {"python": platform.python_version(), "spintrit": __version__}
    names = ["numpy"] + (["torch"] if compute != "numpy" else [])
    return own | {n: metadata.version(n) for n in names}


class _Shown:
    """Progress and seconds of a run, in a bar and in seconds.json."""

    def __init__(self, out: Path, epochs: int, progress: Progress):
        self._out, self._epochs = out, epochs
        self._start, self._earlier = time.perf_counter(), 0.0
        self._seconds: list[float] = []
        self.bar = progress.bar("epoch", epochs, stays=True)

    def start(self, done: int) -> None:
        """Begin after ``done`` epochs."""
        self._seconds = spent.seconds(self._out / CLOCK, done)
        self._earlier = self._seconds[done]
        self.bar.update(done)
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """What all processes of the run took so far."""
        return round(self._earlier + time.perf_counter() - self._start, 3)

    def batch(self, epoch: int, batch: int, batches: int) -> None:
        """Show the end of a batch."""
        self.bar.update(epoch - 1 + batch / batches)

    def epoch(self, entry: dict[str, Any]) -> None:
        """Show the end of an epoch, and keep its time."""
        state = f"loss {entry['loss']:.3f}  validation {entry['val_accuracy']:6.2%}"
        self.bar.update(entry["epoch"], state)
        self.bar.line(f"epoch {entry['epoch']} of {self._epochs}  {state}")
        self._seconds.append(self.seconds())
        write_atomically(self._out / CLOCK, json.dumps(self._seconds).encode())


@dataclass(frozen=True)
class _Prepared:
    """All inputs of a run, prepared before its folder is touched."""

    asked: Request
    split: Split
    conditions: Conditions
    table: TableFile
    given: dict[str, Any]  # settings, for config.json
    earlier: dict[str, Any]  # config.json of the run that goes on
    picture: bool


def run(
    asked: Request,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    picture: bool = True,
) -> dict[str, Any]:
    """Train what is ``asked`` for, and write all files into the folder ``out``.

    metrics.jsonl, checkpoint.npz, weights.npz and best.npz are the trainer's; config.json,
    summary.json, seconds.json (at the end of each epoch, all processes of the run together),
    work.json (cycles and comparisons likewise, of RTL and accelerators), learning.png and
    table.json are added here, and own-device.toml if the device was given as an object. Without
    ``picture`` there is no learning.png. A run that is resumed takes table and device from its own
    table.json, and may go on with more epochs than it had.

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
    golden.array.lockstep.Mismatch
        If the RTL differs from the golden model; summary.json has the difference.
    OSError
        If the folder cannot be written.
    RuntimeError
        If the RTL gives no answer, or an error.
    """
    progress = progress or Progress()
    if picture:  # a missing package is named before the work
        importlib.import_module("spintrit.report.picture")
    held = [name for name in RUN_FILES if (out / name).exists()]
    if held and not (resume or overwrite):
        raise ValueError(
            f"out {str(out)!r} holds a run already ({held[0]}): give --resume or --overwrite"
        )
    given = settings.settings(asked, out)
    earlier = settings.read(out) if resume else {}
    if resume:
        settings.agree(out, given)
        asked = replace(asked, cells=settings.own_files(out, asked.cells))
    target = asked.target
    with contextlib.closing(target):
        array = target.settle(asked.array)
        if resume:
            asked = replace(asked, source=resumed(asked.source, out / CONFIG))
        split = asked.source.load(progress)
        around, table = asked.cells.build(array, asked.config.seed, progress.simulating)
        if asked.cells.nonideal.analog and not target.analog:
            names = "adc_..., backward_adc_... and wire_ohm"
            if target.tiles:
                raise ValueError(f"{names} are not for on-chip training")
            raise ValueError(f"{names} need array golden, not {target.text}")
        job = _Prepared(asked, split, around, table, given, earlier, picture)
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            return _train(job, out, resume, progress)


def _train(job: _Prepared, out: Path, resume: bool, progress: Progress) -> dict[str, Any]:
    """Train in a folder that no other process uses."""
    target, config, init, start = job.asked.target, job.asked.config, job.asked.init, None
    if init:
        begun = resume and (out / CHECKPOINT).exists()
        start = settings.start(init, job.earlier, begun=begun, on_chip=bool(target.tiles))
    shown = _Shown(out, config.epochs, progress)
    work: Work | None = None

    def save(epoch: int) -> None:
        if work:
            work.save(epoch)

    with progress.status(target.preparing) if target.preparing else contextlib.nullcontext():
        target.prepare(job.conditions.config)
        trainer = Trainer(
            config, job.split, target, job.conditions, out,
            start=start, log=Log(shown.batch, shown.epoch, save),
        )  # fmt: skip
    done = trainer.resume() if resume else 0
    work = Work(out / WORK, target, trainer.bank)
    work.start(done if trainer.resumed else None)
    shown.start(done)
    ends = settings.earlier(out, job.earlier, config.epochs) if resume else []
    # Remove the results of an earlier run: they do not belong to the files of this one.
    for name in (SUMMARY, PICTURE, WEIGHTS, BEST):
        (out / name).unlink(missing_ok=True)
    tablefile.save(job.table, out / TABLE)
    if isinstance(job.asked.cells.device, Device) and job.given["device"] == str(out / DEVICE):
        write_atomically(out / DEVICE, junction.dumps(job.asked.cells.device).encode())
    summary = _described(job, trainer)
    if start:
        summary["start"] = start.digest
    if ends:
        summary["earlier"] = ends
    text = json.dumps(summary | {"settings": job.given}, indent=2) + "\n"
    write_atomically(out / CONFIG, text.encode())
    summary |= {"resumed_after_epoch": done, "complete": False}
    with _stoppable(out):
        try:
            with shown.bar:
                result = trainer.run()
            summary |= _outcome(job, trainer, result)
        except Mismatch as mismatch:
            summary |= _difference(mismatch)
            raise
        finally:
            summary |= work.report()
            summary["seconds"] = shown.seconds()
            write_atomically(out / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
        if job.picture:
            from spintrit.report.picture import draw_run

            draw_run(Run(out.name, result.metrics, summary, out), out / PICTURE)
    return summary


def _described(job: _Prepared, trainer: Trainer) -> dict[str, Any]:
    """Description of the run for config.json and summary.json."""
    target, config = job.asked.target, job.asked.config
    split, bank = job.split, trainer.bank
    return {
        "array": target.text,
        "on_chip": bool(target.tiles),
        **({"tiles": bank.size} if target.tiles else {}),
        "backend": target.compute,
        "dataset": split.name,
        "data": {
            "name": job.asked.source.dataset,
            "input_bits": split.input_bits,
            "shape": split.shape,
            "augment": split.augment,
            "classes": split.names,
            "digests": {part: split.digest(part) for part in PARTS},
        },
        "seed": config.seed,
        "versions": versions(target.compute),
        "train_config": asdict(config),
        "array_config": asdict(bank.config),
        "device": job.table.device.name if job.table.device else None,
        "table": job.table.provenance,
        "nonideal": asdict(job.asked.cells.nonideal),
        "arrays": bank.size,
        "synapses": sum(m.n_in * m.n_out for m in bank.matrices),
        "optimiser_bytes_per_weight": OPTIMISERS[config.optimiser].bytes_per_weight(),
    }


def _outcome(job: _Prepared, trainer: Trainer, result: Result) -> dict[str, Any]:
    """Results of the run for summary.json."""
    return {
        **({"differences": 0} if job.asked.target.compares else {}),
        "complete": True,
        "test_accuracy": result.test_accuracy,
        "last_test_accuracy": result.last_test_accuracy,
        "chosen_epoch": result.chosen_epoch,
        "val_accuracy": result.val_accuracy,
        "test_samples": len(job.split.y_test),
        "cells_switched": result.cells_switched,
        **({"cycles_by_formula": result.cycles} if job.asked.target.by_formula else {}),
        **spent.spent(trainer, job.table, job.asked.cells.nonideal),
    }


def _difference(mismatch: Mismatch) -> dict[str, Any]:
    """The first difference of RTL and golden model."""
    return {
        "differences": mismatch.count,
        "first_difference": {
            "what": mismatch.what,
            **mismatch.where,
            "expected": mismatch.expected,
            "got": mismatch.got,
        },
    }


@contextlib.contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Turn Ctrl-C into ``Stopped``, which names the run to resume."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(out) from None


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Lock a run's folder; raises ValueError if another process uses it."""
    try:
        with alone(out, wait=False):
            yield
    except BlockingIOError:
        raise ValueError(f"out {str(out)!r} is another process's, which runs in it") from None
