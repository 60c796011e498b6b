"""The work of a run's arrays or accelerator, summed over all processes of the run."""

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from golden import jsonfile
from golden.accel.interface import Accelerator
from golden.files import write_atomically
from golden.matrix.interface import Bank
from golden.targets import Target

PHASES = ("forward", "backward", "update")
_COUNTS = "accelerator."  # before the names of an accelerator's own counters


class Stopped(KeyboardInterrupt):
    """Ctrl-C in a run that can resume from its folder ``out``."""

    def __init__(self, out: Path):
        super().__init__(str(out))
        self.out = out


class Work:
    """The totals of a run, stored in a file by epoch, so that a resumed run continues them.

    Parameters
    ----------
    path : Path
        A list of totals, one for each epoch from 0 on.
    target : Target
    bank : Bank
        The bank of the target's network.
    """

    def __init__(self, path: Path, target: Target, bank: Bank):
        self._path, self._target, self._bank = path, target, bank
        self._block: Accelerator | None = getattr(bank, "accelerator", None)
        self._epochs: list[dict[str, float]] = []
        self._earlier: dict[str, float] = {}

    def start(self, epoch: int | None) -> None:
        """Continue from the totals after ``epoch``; None for a new run. Totals of a lost file are
        unknown.

        Work that this process has done so far is not counted: it restored the earlier state. A
        board's counters continue from run to run, so a new run counts from here.
        """
        try:
            now = self._now()
        except (RuntimeError, OSError):  # training will raise it
            now = {}
        if epoch is None:
            self._path.unlink(missing_ok=True)
        else:
            with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
                kept = jsonfile.read(self._path, list)[: epoch + 1]
                self._epochs = [{str(k): v + 0 for k, v in entry.items()} for entry in kept]
            if len(self._epochs) == epoch + 1:
                last = self._epochs[epoch]
                self._earlier = {name: last.get(name, 0) - now[name] for name in now}
                return
            self._epochs = [{}] * epoch
        self._earlier = {name: -now[name] for name in now if name.startswith(_COUNTS)}

    def save(self, epoch: int) -> None:
        """Store the totals after ``epoch``; call it before the epoch's checkpoint is written."""
        total = self._total()
        if not total:  # numpy's arrays count no work
            return
        self._epochs = [*self._epochs[:epoch], total]
        write_atomically(self._path, json.dumps(self._epochs).encode())

    def report(self) -> dict[str, Any]:
        """The totals, by the names of a run's summary."""
        try:
            total = self._total()
        except (RuntimeError, OSError):  # it failed, and the error has been reported
            return {}
        summary: dict[str, Any] = {}
        if self._block:
            config = self._block.config
            counts = {
                name.removeprefix(_COUNTS): value
                for name, value in total.items()
                if name.startswith(_COUNTS)
            }
            summary = {
                "accelerator_config": {
                    f.name: getattr(config, f.name) for f in fields(config) if f.name != "array"
                },
                "accelerator": counts,
                "lanes_busy": {
                    phase: round(counts[f"{phase}_busy"] / max(counts[f"{phase}_cycles"], 1), 6)
                    for phase in PHASES
                },
            }
        if "values_compared" in total:
            summary["values_compared"] = total["values_compared"]
        if "rtl_cycles" in total:
            cycles, seconds = total["rtl_cycles"], total["rtl_seconds"]
            summary |= {
                "rtl_cycles": cycles,
                "rtl_seconds": round(seconds, 3),
                "rtl_cycles_per_second": round(cycles / seconds) if seconds else 0,
            }
        return summary

    def _total(self) -> dict[str, float]:
        return {name: value + self._earlier.get(name, 0) for name, value in self._now().items()}

    def _now(self) -> dict[str, float]:
        """The work of this process."""
        target, block, arrays = self._target, self._block, self._bank.arrays
        now: dict[str, float] = {}
        if block:
            counted = target.counted(block)
            now = {f"{_COUNTS}{name}": n for name, n in asdict(counted.counts()).items()}
        if target.compares:
            now["values_compared"] = compared([block] if block else arrays)
        if not target.simulated:
            return now
        if block:
            transport = target.rtl(block).transport
            return now | {"rtl_cycles": transport.cycles, "rtl_seconds": transport.seconds}
        cycles, seconds = rtl_work(target, self._bank)
        return now | {"rtl_cycles": cycles, "rtl_seconds": seconds}


def compared(parts: Sequence[Any]) -> int:
    """Values that arrays, or accelerators, in lock step have compared."""
    return sum(part.compared for part in parts)


def rtl_work(target: Target, bank: Bank) -> tuple[int, float]:
    """Cycles and seconds of the arrays' RTL so far; 0 for other arrays."""
    if not target.simulated:
        return 0, 0.0
    parts = [target.rtl(array) for array in bank.arrays]
    return sum(part.counters.cycles for part in parts), math.fsum(part.seconds for part in parts)
