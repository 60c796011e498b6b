"""Table files from a device's curve or from measured switching, with their origin."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from golden import checks
from golden.config import ArrayConfig
from golden.device import curve
from golden.device.junction import DIRECTIONS, Device, limits
from golden.pulse import design
from golden.pulse.design import CoderConfig, Probability
from golden.pulse.table import ProbabilityTable
from golden.pulse.tablefile import TableFile
from golden.units import si
from spintrit.version import __version__

if TYPE_CHECKING:  # a device's table needs no scipy
    from spintrit.fitting.fit import SwitchingFit

BAND = 0.95  # confidence of the band around a fit
LEAST_FULL = 0.05  # probability of the full pulse, in both directions


def of_device(
    device: Device,
    coding: CoderConfig,
    array: ArrayConfig,
    *,
    model: str = "macrospin",
    voltage_v: float | None = None,
    full_s: float | None = None,
    simulating: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> TableFile:
    """The table of a device; its file's device has these pulses. May simulate for minutes: the
    curve holds at the voltage that it was made for, so another voltage needs another curve.

    Parameters
    ----------
    device : Device
    coding : CoderConfig
    array : ArrayConfig
        Only its ``code_bits`` and ``draw_bits`` have an effect.
    model : {"macrospin", "formula"}
    voltage_v, full_s : float, optional
        Amplitude and length of the full pulse, the device's own by default.
    simulating : callable
        See ``golden.device.curve.load``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the full pulse hardly switches.
    """
    pulses = replace(
        device,
        v_write_v=device.v_write_v if voltage_v is None else _volts(voltage_v),
        t_write_s=device.t_write_s if full_s is None else _positive("full_s", full_s),
    )
    simulated = device
    if pulses.v_write_v != device.v_write_v:
        simulated = replace(pulses, t_write_s=max(device.t_write_s, pulses.t_write_s))
    designed = curve.load(simulated, model, simulating=simulating)

    def probability(direction: int, pulse_s: np.ndarray) -> np.ndarray:
        return designed.probability(direction, pulse_s)

    provenance = {"device": device.name, "model": model, "curve": designed.provenance}
    return _file(probability, pulses.v_write_v, pulses.t_write_s, coding, array, provenance, pulses)


def of_fit(
    found: "SwitchingFit",
    coding: CoderConfig,
    array: ArrayConfig,
    *,
    voltage_v: float | None = None,
    full_s: float | None = None,
    device: Device | None = None,
) -> tuple[TableFile, str]:
    """The table of a fit, and a warning where it goes beyond what was measured, or nothing.

    By default the voltage is the highest and the full pulse the longest that were measured in both
    directions. ``device`` is kept in the file, with these pulses, for reads, ageing and energy; the
    probabilities are the fit's alone. The other arguments are ``of_device``'s.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, a direction was not measured, nothing is known of
        ``voltage_v``, or the full pulse hardly switches.
    """
    for name, direction in DIRECTIONS.items():
        if direction not in found.curves:
            raise ValueError(f"{found.source}: a table needs both directions; {name} is missing")
    curves = found.curves.values()
    if voltage_v is None:
        voltage_v = min(float(each.voltages_v[-1]) for each in curves)
    voltage_v = _volts(voltage_v)
    if full_s is None:
        full_s = min(each.reach_s(voltage_v)[1] for each in curves)
    full_s = _positive("full_s", full_s)

    def probability(direction: int, pulse_s: np.ndarray) -> np.ndarray:
        return found.probability(direction, pulse_s, voltage_v)

    def end(which: int) -> Probability:
        return lambda direction, pulse_s: found.band(direction, pulse_s, voltage_v, BAND)[which]

    provenance = {"model": "fit", "fit": found.summary()}
    pulses = replace(device, v_write_v=voltage_v, t_write_s=full_s) if device else None
    file = _file(probability, voltage_v, full_s, coding, array, provenance, pulses)
    file.provenance["band"] = {"level": BAND} | {
        name: _by_code(
            design.design_table(probability, full_s, array, coding, actual=end(which)).thresholds
            / file.table.scale
        )
        for which, name in enumerate(("low", "high"))
    }
    low, high = (
        pick(float(each.voltages_v[end]) for each in curves) for pick, end in ((max, 0), (min, -1))
    )
    near = max(1e-9, *(each.voltage_tolerance for each in curves))
    if not low * (1 - near) <= voltage_v <= high * (1 + near):
        return file, f"{voltage_v:g} V lies outside of what was measured, {low:g} V to {high:g} V"
    return file, "; ".join(_beyond(found, file.table, voltage_v, coding.coder == "gated"))


def _by_code(values: np.ndarray) -> dict[str, list[float]]:
    return {name: values[:, direction].tolist() for name, direction in DIRECTIONS.items()}


def _volts(value: float) -> float:
    return checks.real("voltage", _positive("voltage", value), *limits("voltage_v"))


def _positive(name: str, value: float) -> float:
    value = checks.real(name, value, 0)
    if not value:
        raise ValueError(f"{name} must be positive, not 0")
    return value


def _beyond(
    found: "SwitchingFit", table: ProbabilityTable, voltage_v: float, gated: bool
) -> list[str]:
    """Pulses that are shorter or longer than the measured ones, one phrase per direction."""
    phrases = []
    for name, direction in DIRECTIONS.items():
        used = table.pulse_s[1:, direction]
        if gated:  # all pulses are the full one; the table has their mean lengths
            used = used[-1:]
        used = used[used > 0]
        if not found.covers(direction, used, voltage_v).all():
            low, high = found.curves[direction].reach_s(voltage_v)
            phrases.append(
                f"{name} was measured from {si(low, 's')} to {si(high, 's')}, the table's pulses "
                f"go from {si(used.min(), 's')} to {si(used.max(), 's')}"
            )
    return phrases


def _file(
    probability: Probability,
    voltage_v: float,
    full_s: float,
    coding: CoderConfig,
    array: ArrayConfig,
    provenance: dict[str, Any],
    device: Device | None,
) -> TableFile:
    for name, direction in DIRECTIONS.items():
        p = float(probability(direction, np.array([full_s]))[0])
        if not p >= LEAST_FULL:
            raise ValueError(
                f"a full pulse of {voltage_v:g} V and {full_s:g} s switches {name} with a "
                f"probability of {p:.2g}; a table needs at least {LEAST_FULL:g}"
            )
    table = design.design_table(probability, full_s, array, coding)
    errors = largest_error(table, coding.steepness)
    made = {
        "spintrit": __version__,
        **asdict(coding),
        "code_bits": array.code_bits,
        "draw_bits": array.draw_bits,
        "voltage_v": voltage_v,
        "full_s": full_s,
        "largest_error": errors,
    }
    return TableFile(table, device, made | provenance)


def largest_error(table: ProbabilityTable, steepness: float) -> dict[str, float]:
    """Largest distance of the mean probability from tanh, by direction."""
    errors = design.largest_error(table, steepness)
    return {name: float(errors[direction]) for name, direction in DIRECTIONS.items()}
