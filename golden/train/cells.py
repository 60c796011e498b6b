"""The synapses of a run: device or table, pulse coder, non-idealities."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from golden import device
from golden.config import ArrayConfig
from golden.device import curve
from golden.device.junction import Device
from golden.device.nonideal import NonIdealities
from golden.pulse import tablefile
from golden.pulse.design import IDEAL, CoderConfig
from golden.pulse.table import tanh_table
from golden.pulse.tablefile import TableFile
from golden.train.conditions import Conditions


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Settings of the cells in arrays.

    Parameters
    ----------
    device : str or Device
        A device, its name or TOML file (see ``golden.device.junction.load``), or ``IDEAL``. Empty:
        the device in the table file, or "default" without a table.
    table : Path or TableFile, optional
        A table file, or its content. It gives the switching probabilities; the device gives reads
        and ageing.
    coder : CoderConfig
    nonideal : NonIdealities
    """

    device: str | Device = ""
    table: Path | TableFile | None = None
    coder: CoderConfig = field(default_factory=CoderConfig)
    nonideal: NonIdealities = field(default_factory=NonIdealities)

    def conditions(self, array: ArrayConfig, seed: int) -> Conditions:
        """The conditions of a run with this ``seed``; raises as ``build``."""
        return self.build(array, seed)[0]

    def build(
        self,
        array: ArrayConfig,
        seed: int,
        simulating: Callable[[str], Callable[[], AbstractContextManager[Any]]] | None = None,
    ) -> tuple[Conditions, TableFile]:
        """The conditions of a run with this ``seed``, and the table file of their table.

        Parameters
        ----------
        simulating : callable, optional
            Called with a device's name. Returns the argument ``simulating`` of
            ``golden.device.curve.load``.

        Raises
        ------
        TypeError, ValueError, OSError
            If device, table and settings cannot be combined.
        """
        if self.table and self.device == IDEAL:
            raise ValueError(f"device = {IDEAL!r} has no resistances to use with a table")
        if self.table or self.device == IDEAL:
            self._check_fixed()
        coder, settings = self.coder, self.nonideal
        if self.table:
            kept = self._beside_table(self.table)
            # The table gives the switching, the device reads and ageing.
            shape = curve.formula(kept.device) if kept.device else None
            around = Conditions(array, shape, settings, coder, table=kept.table, seed=seed)
            return around, replace(kept, table=around.table)
        if self.device == IDEAL:
            table = tanh_table(array, coder.steepness)
            around = Conditions(array, None, settings, coder, table=table, seed=seed)
            made: dict[str, Any] = {"coder": IDEAL, "steepness": coder.steepness}
            return around, TableFile(around.table, None, made)
        junction = _device(self.device or "default")
        shown = simulating(junction.name) if simulating else None
        shape = curve.load(junction, simulating=shown) if shown else curve.load(junction)
        around = Conditions(array, shape, settings, coder, seed=seed)
        made = {**asdict(coder), "nonideal": asdict(settings), "curve": shape.provenance}
        return around, TableFile(around.table, junction, made)

    def _check_fixed(self) -> None:
        """Refuse settings of the coder that have no effect with a table or ideal switching."""
        for name in ("coder", "step_s"):
            value = getattr(self.coder, name)
            if value != getattr(CoderConfig(), name):
                fixed = "a table, which is fixed" if self.table else f"device {IDEAL}"
                raise ValueError(f"{name} = {value!r} cannot be combined with {fixed}")

    def _beside_table(self, table: Path | TableFile) -> TableFile:
        """The table file, with the device for reads and ageing."""
        kept = table if isinstance(table, TableFile) else tablefile.load(table)
        settings, where = self.nonideal, "" if kept is table else f" {table}"
        junction, made = kept.device, kept.provenance
        if self.device:
            measured = {"v_write_v": "voltage_v", "t_write_s": "full_s"}
            pulses = {k: made[v] for k, v in measured.items() if v in made}
            junction = replace(_device(self.device), **pulses)
        if junction is None and settings.beside_table:
            name = settings.beside_table[0]
            raise ValueError(
                f"{name} = {getattr(settings, name)} needs a device for reads and ageing, and "
                f"table{where} has none: give --device NAME or FILE.toml with --table, "
                "or make the table with device fit --device"
            )
        steepness = made.get("steepness", self.coder.steepness)
        if steepness != self.coder.steepness:
            raise ValueError(
                f"steepness = {self.coder.steepness:g} cannot be combined with a table made for "
                f"{steepness}"
            )
        return replace(kept, device=junction)


def _device(named: str | Device) -> Device:
    return named if isinstance(named, Device) else device.load(named)
