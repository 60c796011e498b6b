"""Devices, tables, fits and checks as text tables, and the numbers that follow from a device."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.table import Table

from golden.device import check, switching
from golden.device.junction import DIRECTIONS, Device
from golden.pulse.table import ProbabilityTable, code_values
from golden.pulse.tablefile import TableFile
from golden.units import duration, si
from spintrit.fitting.repeats import ROUNDING
from spintrit.report.console import Console

_LABELS = {
    "length_m": "long axis", "width_m": "short axis", "thickness_m": "thickness of the free layer",
    "mu0_ms_t": "saturation magnetisation", "mu0_hk_t": "anisotropy field",
    "damping": "Gilbert damping", "polarisation": "spin torque efficiency",
    "r_on_ohm": "resistance in P", "r_off_ohm": "resistance in AP",
    "r_access_ohm": "access transistor", "half_tmr_v": "voltage that halves the ratio of both",
    "temperature_k": "temperature", "curie_k": "Curie temperature", "tau0_s": "attempt time",
    "v_write_v": "write voltage", "t_write_s": "full pulse",
    "v_read_v": "read voltage", "t_read_s": "length of a read",
    "volume_m3": "volume", "moment_am2": "magnetic moment", "stability": "stability Delta",
    "growth_time_s": "decay time of a precession", "critical_current_a": "critical current Ic0",
    "magnetoresistance": "magnetoresistance ratio", "retention_s": "retention time",
    "current_a": "write current", "overdrive": "write current / Ic0",
    "half_s": "switches half the time (formula)",
}  # fmt: skip
_UNITS = {
    "m": "m", "t": "T", "ohm": "Ohm", "v": "V", "k": "K", "s": "s", "a": "A", "m3": "m^3",
    "am2": "A m^2",
}  # fmt: skip


@np.errstate(all="ignore")  # extreme devices have infinities, which are shown as such
def derived(device: Device) -> dict[str, Any]:
    """Derived figures of a device: formulas only, no simulation.

    ``retention_s`` is the time until a share 1 - 1/e has switched without a current, within 1e-12
    and 1e40.
    By direction: current and overdrive at the start of a write pulse, and the length that switches
    half the time (None if that is longer than the full pulse).
    """
    # Time runs over many orders; the grid is far finer than what is shown.
    times = np.geomspace(1e-12, 1e40, 40001)
    at_rest = switching.probability(switching.drive(device, 0, 0.0), times)
    found: dict[str, Any] = {
        "volume_m3": device.volume_m3,
        "moment_am2": device.moment_am2,
        "stability": device.stability,
        "growth_time_s": device.growth_time_s,
        "critical_current_a": device.critical_current_a,
        "magnetoresistance": device.r_off_ohm / device.r_on_ohm - 1,
        # Not a number: a barrier beyond what floats hold, never passed.
        "retention_s": float(times[~(at_rest >= 1 - math.exp(-1))].max(initial=times[0])),
    }
    for name, direction in DIRECTIONS.items():
        current = device.current_a(direction, device.v_write_v)
        drive = switching.drive(device, direction)
        lengths = np.linspace(0, device.t_write_s, 10001)
        p = switching.probability(drive, lengths)
        found[name] = {
            "current_a": current,
            "overdrive": current / device.critical_current_a,
            "half_s": float(lengths[np.argmax(p >= 0.5)]) if p[-1] >= 0.5 else None,
        }
    return found


def as_json(device: Device) -> dict[str, Any]:
    """Parameters and derived numbers, as JSON can hold them (None for what is not finite)."""
    return _finite({"parameters": asdict(device), "derived": derived(device)})


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _finite(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in values.items()
    }


def _with_unit(name: str, value: Any) -> str:
    if value is None or not math.isfinite(value):
        return "none"
    if name == "retention_s":
        return duration(value)
    unit = _UNITS.get(name.rpartition("_")[2] if "_" in name else "", "")
    if unit in ("m^3", "A m^2"):  # a prefix would be cubed
        return f"{value:.3g} {unit}"
    if not unit:
        return f"{value:.3g}"
    return si(value, unit)


def show_list(devices: list[Device], console: Console) -> None:
    """Print the main figures of several devices."""
    shown = Table("name", "geometry", "Delta", "Ic0", "I / Ic0", "retention", title="Devices")
    for column in shown.columns[2:]:
        column.justify = "right"
    shown.columns[1].no_wrap = True
    for device in devices:
        facts = derived(device)
        shown.add_row(
            _name(device),
            device.geometry,
            f"{device.stability:.1f}",
            si(device.critical_current_a, "A"),
            ", ".join(f"{facts[name]['overdrive']:.2f}" for name in DIRECTIONS),
            duration(facts["retention_s"]),
        )
    console.print(shown)
    for device in devices:
        console.print(f"{_name(device)}: {device.source}", highlight=False)
    console.print("I: at the start of a write pulse, AP to P and P to AP.", highlight=False)


def _name(device: Device) -> str:
    return f"{device.name} (assumed)" if device.name == "default" else device.name


def show(device: Device, console: Console) -> None:
    """Print a device's parameters and derived figures."""
    console.print(f"{_name(device)}, {device.geometry}: {device.source}", highlight=False)
    given = Table("parameter", "", "value", title="Given")
    for name, value in asdict(device).items():
        if name in _LABELS:
            given.add_row(name, _LABELS[name], _with_unit(name, value))
    facts = derived(device)
    follows = Table("", "value", title="Derived")
    for name, value in facts.items():
        if name not in DIRECTIONS:
            follows.add_row(_LABELS[name], _with_unit(name, value))
    by_direction = Table("", *map(_arrow, DIRECTIONS), title="By direction of switching")
    for name in facts["AP_to_P"]:
        values = (_with_unit(name, facts[direction][name]) for direction in DIRECTIONS)
        by_direction.add_row(_LABELS[name], *values)
    for table in (given, follows, by_direction):
        for column in table.columns[1:]:
            column.justify = "right" if column.header else "left"
        console.print(table)


def _arrow(name: str) -> str:
    return name.replace("_", " ")


def show_table(file: TableFile, console: Console) -> None:
    """Print a table code by code, and its largest error against tanh."""
    table, made = file.table, file.provenance
    title = f"{made['coder']} coder, {made['voltage_v']:g} V, full pulse {si(made['full_s'], 's')}"
    mean = "mean length" if made["coder"] == "gated" else "length"
    shown = Table("code", "nu", f"tanh({made['steepness']:g} nu)", title=title)
    for name in DIRECTIONS:
        shown.add_column(f"{_arrow(name)}\n{mean}")
        shown.add_column(f"{_arrow(name)}\nP")
    for column in shown.columns:
        column.justify = "right"
    nu = [0.0, *code_values(len(table.ticks)), None]
    for code, value in enumerate(nu):
        cells = ["full", ""]
        if value is not None:
            cells = [f"{value:.3g}", f"{math.tanh(made['steepness'] * value):.3g}"]
        shown.add_row(str(code), *cells, *_cells(table, code))
    console.print(shown)
    errors = ", ".join(f"{_arrow(k)} {v:.2g}" for k, v in made["largest_error"].items())
    console.print(f"Largest distance of the mean probability from tanh: {errors}", highlight=False)
    if "band" in made:
        widest = "; ".join(f"{_arrow(name)} {_widest(made['band'], name)}" for name in DIRECTIONS)
        level = f"{made['band']['level']:.0%}"
        console.print(f"{level} band of P, where it is widest: {widest}", highlight=False)


def _widest(band: dict[str, Any], name: str) -> str:
    low, high = band["low"][name], band["high"][name]
    code = int(np.argmax(np.subtract(high, low)))
    return f"{low[code]:.3g} to {high[code]:.3g} (code {code})"


def _cells(table: ProbabilityTable, code: int) -> list[str]:
    cells = []
    for direction in DIRECTIONS.values():
        cells.append(si(table.pulse_s[code, direction], "s"))
        cells.append(f"{table.thresholds[code, direction] / table.scale:.3g}")
    return cells


def show_check(figures: dict[str, Any], console: Console) -> None:
    """Print the figures of a check."""
    shown = Table("", "AP to P", "P to AP", "bound", title=f"Check of {figures['device']}")
    for column in shown.columns[1:]:
        column.justify = "right"
    for which, label, bound in (
        ("max_abs_error", "curve of the tables", f"{check.LARGEST_ERROR:g}"),
        ("formula_max_abs_error", "closed formula", ""),
        ("dt_max_abs_error", "at half the time step", f"{check.step_bound(figures):.3f}"),
    ):
        errors = (f"{figures[which][name]:.4f}" for name in DIRECTIONS)
        shown.add_row(f"largest |P - P simulated|, {label}", *errors, bound)
    console.print(shown)
    for name, worst in figures["plane"].items():
        console.print(
            f"largest of it at other voltages, {_arrow(name)}: {worst['error']:.4f}, at "
            f"{worst['voltage_v']:.3g} V and {si(worst['pulse_s'], 's')}: {worst['curve']:.3f}, "
            f"simulated {worst['simulated']:.3f} (bound {check.plane_bound(figures):.3f})",
            highlight=False,
        )
    bound = f"within {check.LARGEST_DEVIATION:.0%} of 1"
    for name, label in (
        ("boltzmann_ratio", "mean sin^2 of the angle at rest, simulated / exact"),
        ("dt_ratio", "the same, at the time step used / at half of it"),
    ):
        console.print(f"{label}: {figures[name]:.4f} ({bound})", highlight=False)
    console.print(
        f"{figures['trials']} trials a direction, seed {figures['seed']}: standard error of P up "
        f"to {figures['standard_error']:.4f}; "
        f"{figures['seconds_per_4ns_trial'] * 1e3:.2f} ms a trial "
        "of 4 ns",
        highlight=False,
    )


def show_fit(summary: dict[str, Any], console: Console) -> None:
    """Print a summary of ``SwitchingFit.summary``."""
    for name, found in summary["directions"].items():
        shown = Table("coefficient", "value", "standard error", title=f"Fit, {_arrow(name)}")
        for column in shown.columns[1:]:
            column.justify = "right"
        for label, entry in found["coefficients"].items():
            shown.add_row(label, f"{entry['value']:.4g}", f"{entry['standard_error']:.2g}")
        console.print(shown)
        worst = found["worst_residual"]
        for line in (
            f"{found['link']}(P) in {found['length']}: {found['reading']}",
            f"{found['points']} points, {found['trials']} trials, {found['family']}, dispersion "
            f"{found['dispersion']:.2f}; worst point: line {worst['line']}, "
            f"{worst['standard_errors']:+.1f} standard errors",
            f"Runners-up by {found['criterion']}: {_runners_up(found['candidates'])}",
            *_repeats(found),
        ):
            console.print(line, highlight=False)
    spread, facts = summary["spread"], summary["directions"].values()
    rows, points = (sum(found[name] for found in facts) for name in ("rows", "points"))
    if rows > points or max(spread.values()) > ROUNDING:
        console.print(
            f"{rows} rows at {points} points; voltages that count as one differ by up to "
            f"{spread['voltage']:.2%}, lengths by up to {spread['length']:.2%}",
            highlight=False,
        )
    if summary["assumed_trials"] is not None:
        console.print(
            f"No trials given: {summary['assumed_trials']} per point assumed. The width of the "
            "bands depends on this assumption.",
            highlight=False,
        )


def _repeats(found: dict[str, Any]) -> list[str]:
    """A sentence on the scatter of rows that repeat a point."""
    repeats, freedom = found["repeats"], found["repeats"]["degrees_of_freedom"]
    if found["rows"] == found["points"] or repeats["dispersion"] is None:
        return []
    text = f"dispersion {repeats['dispersion']:.2f}, {freedom} degrees of freedom"
    if repeats["differ"]:
        return [
            f"Rows that repeat a point differ by more than chance ({text}): the bands are those of "
            "their mean; a single session may lie outside"
        ]
    return [f"Rows that repeat a point differ by no more than chance ({text})"]


def _runners_up(candidates: list[dict[str, Any]]) -> str:
    rest = [row for row in candidates[1:] if not row["refused"]][:3]
    models = [
        f"{row['link']} in {' + '.join(row['predictors'])} (+{row['delta_aic']:.1f})"
        for row in rest
    ]
    return "; ".join(models) or "none"
