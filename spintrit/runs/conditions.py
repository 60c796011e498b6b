"""Conditions under which a trained network is evaluated: those of its training, or others.

Cells stay as training left them. Converters, wires, the spread of resistances and the temperature
change reads alone. Time and cells that get stuck after training change cells before the first read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from golden import checks, device
from golden.config import ArrayConfig
from golden.device import curve
from golden.device.nonideal import NonIdealities
from golden.matrix.interface import Bank
from golden.pulse import tablefile
from golden.pulse.design import CoderConfig
from golden.pulse.table import tanh_table
from golden.targets import Target
from golden.train.conditions import Conditions
from spintrit.runs.settings import TABLE

if TYPE_CHECKING:  # the parser needs this file, and a run's folder more packages than the parser
    from spintrit.runs.trained import Trained

FIELDS = (
    "adc_bits",
    "adc_range",
    "adc_noise",
    "wire_ohm",
    "resistance_spread",
    "stability_spread",
    "temperature_k",
    "retention_s",
    "retention_k",
    "reads",
    "stuck_p",
    "stuck_ap",
)
STUCK = ("stuck_p", "stuck_ap")
# What the run's own reads were made with.
_READS = (
    "resistance_spread", "temperature_k", "adc_bits", "adc_range", "adc_noise",
    "backward_adc_bits", "backward_adc_range", "backward_adc_noise", "wire_ohm",
)  # fmt: skip
_SPREADS = ("resistance_spread", "critical_current_spread", "stability_spread")


@dataclass(frozen=True)
class EvalConditions:
    """Conditions of one evaluation.

    Parameters
    ----------
    trained : Trained
    settings : NonIdealities
        Acts on the cells in the run's files and on their reads.
    changed : dict
        Conditions that are not the run's own, by name.
    reads : float
        Reads of every cell before the test.
    device : str
        Name or file of the device of reads and ageing; empty for the run's own.
    """

    trained: "Trained"
    settings: NonIdealities
    changed: dict[str, Any]
    reads: float = 0.0
    device: str = ""

    @property
    def ageing(self) -> bool:
        """Whether cells change between the run's files and the test."""
        return bool(self.settings.retention_s or self.reads)

    def age(self, around: Conditions, bank: Bank) -> None:
        """Change the cells of ``bank`` by storage time and reads; ``around`` are its conditions."""
        around.store(bank)
        if self.reads:
            around.disturb(bank, self.reads)

    @property
    def stuck(self) -> bool:
        """Whether cells get stuck in addition to the run's."""
        return any(name in self.changed and getattr(self.settings, name) for name in STUCK)

    @property
    def plain(self) -> bool:
        """Whether sums are exact and cells unchanged from the files."""
        return not (self.settings.analog or self.ageing or self.stuck)

    def own_cells(self, target: Target, array: ArrayConfig) -> bool:
        """Whether the spread of cells is the run's own: the same settings, and in arrays of
        ``target`` and ``array`` the same layout as in training."""
        redrawn = self.stuck or any(name in self.changed for name in _SPREADS)
        return not redrawn and self._same_layout(target, array)

    def _same_layout(self, target: Target, array: ArrayConfig) -> bool:
        trained = self.trained
        sizes = (array.rows, array.cols) == (trained.array.rows, trained.array.cols)
        if trained.tiles:
            return sizes
        whole = trained.target.whole
        return whole if target.whole else sizes and not whole

    def random(self, target: Target, array: ArrayConfig) -> bool:
        """Whether another seed gives other reads."""
        spread = self.settings.analog and self.settings.resistance_spread
        drawn = spread and not self.own_cells(target, array)
        noise = self.settings.adc_noise if self.settings.analog else 0
        return bool(self.ageing or self.stuck or noise or drawn)

    def build(self, target: Target, array: ArrayConfig, seed: int) -> Conditions:
        """The conditions of the test's arrays.

        The run's own cells keep the run's draws. Redrawn cells, noise and ageing use ``seed``.

        Raises
        ------
        ValueError
            If the run's table has no device and the conditions need one, or if the run's stuck
            cells lie elsewhere.
        """
        own, settings = self.own_cells(target, array), self.settings
        if any(getattr(settings, name) and name not in self.changed for name in STUCK) and not own:
            where = "whole matrices" if self.trained.target.whole else "arrays of its own size"
            raise ValueError(f"the run's stuck cells beside others that age need {where}")
        path, junction = self.trained.folder / TABLE, None
        if settings.physical:
            junction = device.load(self.device) if self.device else tablefile.load(path).device
        if settings.physical and junction is None:
            needing = ", ".join(name for name, value in self.changed.items() if value)
            raise ValueError(
                f"{path} holds no device, which {needing or 'analog reads'} needs: name one"
            )
        return Conditions(
            array, curve.formula(junction) if junction else None, settings, CoderConfig(),
            # Nothing is written, so any table is good.
            table=None if settings.in_table else tanh_table(array),
            seed=self.trained.config.seed if own else seed, draws=seed,
        )  # fmt: skip


def conditions(
    trained: "Trained",
    changes: Mapping[str, Any] | None = None,
    named: str = "",
    *,
    strict: bool = True,
) -> EvalConditions:
    """The run's own conditions with some changed.

    Parameters
    ----------
    trained : Trained
    changes : dict, optional
        Other values, by the names of ``FIELDS``.
    named : str
        Device of reads and ageing instead of the run's own.
    strict : bool
        Whether to refuse a change that has no effect under the other conditions.

    Raises
    ------
    TypeError, ValueError
        If a change is unknown, out of range, or without effect under the other conditions.
    """
    changes, own = dict(changes or {}), trained.nonideal
    for name in changes:
        if name not in FIELDS:
            raise ValueError(f"{name} is no condition of an evaluation: {', '.join(FIELDS)} are")
    reads = checks.real("reads", changes.pop("reads", 0.0), 0.0, 1e18)
    # Checked as a whole, with what the run's own settings add, before the run's share is taken off.
    if not changes.get("adc_bits", own.adc_bits):
        changes.setdefault("adc_range", 0.0)
    if not changes.get("retention_s", own.retention_s):
        changes.setdefault("retention_k", 0.0)
    wanted = replace(own, **changes)
    more_stuck = any(changes.get(name) for name in STUCK)
    changed = {
        name: value for name, value in changes.items()
        if (value if name in STUCK else getattr(wanted, name) != getattr(own, name))
    }  # fmt: skip
    rest_s = wanted.retention_s - own.retention_s
    if rest_s < 0:
        raise ValueError(
            f"retention_s = {wanted.retention_s:g} is less than the {own.retention_s:g} that have "
            "passed in the run's own cells"
        )
    ageing = rest_s or reads
    if ageing and more_stuck and any(getattr(own, name) for name in STUCK):
        raise ValueError(
            "stuck_p and stuck_ap beside the run's own cannot be combined with retention_s or reads"
        )
    more = {name: changes.get(name, 0.0) for name in STUCK} if more_stuck else {}
    settings = _acting(wanted, rest_s, reads, more)
    if strict:
        given = {name: changes[name] for name in changed if changes[name]}
        _check_effect(given, analog=settings.analog, ageing=bool(ageing), older=bool(rest_s))
        if named and not settings.physical:
            raise ValueError(
                f"device = {named!r} changes nothing without converters, wires, retention_s or "
                "reads: cells stay as training left them"
            )
    changed |= {"reads": reads} if reads else {}
    changed |= {"device": named} if named else {}
    return EvalConditions(trained, settings, changed, reads, named)


def _acting(
    wanted: NonIdealities, rest_s: float, reads: float, stuck: dict[str, float]
) -> NonIdealities:
    """The part of ``wanted`` that acts between a run's files and its evaluation.

    Parameters
    ----------
    wanted : NonIdealities
        All conditions, with those of the training.
    rest_s : float
        Seconds that pass after the training.
    reads : float
        Reads of every cell before the test.
    stuck : dict
        Probabilities of cells that get stuck after the training, by the names of ``STUCK``.
    """
    kept = {name: getattr(wanted, name) for name in _READS}
    if not NonIdealities(**kept).analog:
        kept = {}
    if rest_s or reads:
        kept |= {name: getattr(wanted, name) for name in (*_SPREADS, *STUCK, "temperature_k")}
        kept |= {"read_disturb": bool(reads)}
    if rest_s:
        kept |= {"retention_s": rest_s, "retention_k": wanted.retention_k}
    return NonIdealities(**kept | stuck)


def _check_effect(given: Mapping[str, Any], *, analog: bool, ageing: bool, older: bool) -> None:
    """Refuse conditions that have no effect under the others."""
    for name, needed in (
        ("resistance_spread", "converters, their noise or wires" * (not analog)),
        ("temperature_k", "converters, wires, retention_s or reads" * (not analog and not ageing)),
        ("stability_spread", "retention_s" * (not older)),
        ("retention_k", "more retention_s than the run's own" * (not older)),
    ):
        if name in given and needed:
            raise ValueError(
                f"{name} = {given[name]:g} changes nothing without {needed}: sums are exact, and "
                "cells stay as training left them"
            )
