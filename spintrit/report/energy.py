"""The report on a run's energy, as tables."""

from typing import Any

from rich.table import Table

from golden.energy import model
from golden.energy.model import ARRAY_PARTS, PERIPHERY_PARTS, PHASES
from golden.units import si
from spintrit.report.console import Console

PARTS = {
    "cells": "cells read",
    "idle": "pulses, idle",
    "failed": "pulses, not switched",
    "switched": "pulses, switched",
    "access": "bits read and programmed",
    "converters": "converters",
    "drivers": "lines and select lines",
    "supply": "supply losses",
    "digital": "digital periphery",
}
_LEAST = {"full": "", "mean": "at least: "}  # a column waits for its longest pulse
ACCOUNTINGS = {"array": "array alone", "periphery": "with periphery"}


def summed(per_sample: dict[str, Any], phase: str, accounting: str) -> float:
    return model.total(per_sample, phase, periphery=accounting == "periphery")


def show(report: dict[str, Any], console: Console | None = None) -> None:
    """Print a report as tables."""
    console = console or Console()
    console.print(_energy_table(report))
    console.print(_efficiency_table(report))
    for text in _sentences(report):
        console.print(text, highlight=False)
    console.print(_timing_table(report))
    sources = Table("cost", "value", "source", title="Costs around the cells (SI units)")
    for name, entry in report["costs"].items():
        sources.add_row(name, f"{entry['value']:.4g}", entry["source"])
    console.print(sources)


def _energy_table(report: dict[str, Any]) -> Table:
    per_sample = report["per_sample_j"]
    assumed = " (assumed: the table names none)" if report["device_assumed"] else ""
    size = f"{report['array']['rows']} x {report['array']['cols']}"
    title = f"Energy per training sample, arrays of {size}, device {report['device']}{assumed}"
    shown = Table("", *PHASES, title=title)
    for column in shown.columns[1:]:
        column.justify = "right"
    for accounting, parts in (("array", ARRAY_PARTS), ("periphery", PERIPHERY_PARTS)):
        for part in parts:
            values = (per_sample[phase].get(part) for phase in PHASES)
            shown.add_row(PARTS[part], *("" if v is None else si(v, "J") for v in values))
        sums = (si(summed(per_sample, phase, accounting), "J") for phase in PHASES)
        shown.add_row(ACCOUNTINGS[accounting], *sums, style="bold", end_section=True)
    return shown


def _efficiency_table(report: dict[str, Any]) -> Table:
    shown = Table("TOPs/W", *PHASES, title="Operations per second and watt")
    for column in shown.columns[1:]:
        column.justify = "right"
    for accounting, name in ACCOUNTINGS.items():
        for which, label in (("all", "all operations"), ("done", "executed operations")):
            found = (report["efficiency"].get(p, {}).get(accounting, {}) for p in PHASES)
            cells = (f"{f[which] / 1e12:.3g}" if which in f else "-" for f in found)
            shown.add_row(f"{name}, {label}", *cells)
    published = report["published"]
    cells = (f"{published[p] / 1e12:g}" if p in published else "-" for p in PHASES)
    shown.add_row("published (Greenberg-Toledo et al. 2021)", *cells, style="bold")
    return shown


def _sentences(report: dict[str, Any]) -> list[str]:
    needed, shares = report["needed"], report["shares"]
    low, high = (si(bound, "J") for bound in report["switched_bounds_j"])
    lines = [
        "All operations include products that are gated off and synapses without a pulse. A "
        "multiplication and an addition are two operations; an update of a synapse is one.",
        "A read of a cell takes {} in P and {} in AP. A pulse takes {} and {}. A conversion takes "
        "{} forward and {} backward.".format(
            *(si(j, "J") for j in report["read_j"]),
            *(si(w, "W") for w in report["pulse_w"]),
            *(si(j, "J") for j in report["conversion_j"]),
        ),
        f"Assumption: cells switch half way through their pulse; bounds {low} to {high}.",
    ]
    if "gated" in shares:
        parts = [f"{shares['gated']:.1%} of all forward products were gated off"]
        parts.append(f"{shares['zero_inputs']:.1%} zero inputs")
        if "zero_weights" in shares:
            parts.append(f"{shares['zero_weights']:.1%} zero weights")
        lines.append(", ".join(parts) + ".")
    curve = report["sparsity"]["curves"][0]
    if curve["array"][0]:
        half = report["sparsity"]["zero_inputs"].index(0.5)
        saved = (1 - curve[name][half] / curve[name][0] for name in ACCOUNTINGS)
        lines.append(
            "With half of the inputs zero, the array alone saves {:.0%} of its forward energy; "
            "with periphery {:.1%}.".format(*saved)
        )
    lines += [
        f"Published forward figure: {si(needed['forward_synapse_j'], 'J')} per synapse; these "
        f"cells take {si(needed['forward_cells_j'], 'J')} of it. It holds if the rest takes "
        f"{si(needed['forward_column_j'], 'J')} per column. That is plausible: a converter of "
        f"{si(needed['forward_adc_j_per_step'], 'J')} per step, and published ones of this speed "
        "take 34 fJ and more. Or it holds for cells alone if a read takes "
        f"{si(needed['forward_read_s'], 's')}, which is less plausible.",
        f"Published update figure: {si(needed['update_j'], 'J')} per update. It holds if every "
        f"cell gets a pulse of {si(needed['update_pulse_s'], 's')} on average, "
        f"{needed['update_pulse_share']:.1%} of the full pulse, and nothing else takes energy. "
        "That is plausible early in training.",
    ]
    return lines


def _timing_table(report: dict[str, Any]) -> Table:
    lengths = report["pulse_s"]
    shown = Table("columns per converter", "vector forward", "vector backward",
                  title="Time and operations per second of one array")  # fmt: skip
    for name, length in lengths.items():
        shown.add_column(f"update, {_LEAST[name]}{name} pulses ({si(length, 's')})")
    for column in shown.columns:
        column.justify = "right"
    shown.show_lines = True
    for rows in zip(*(report["timing"][name] for name in lengths), strict=True):
        cells = [str(rows[0]["sharing"])]
        pairs = [(rows[0], "forward"), (rows[0], "backward"), *((row, "update") for row in rows)]
        for row, phase in pairs:
            speed = si(row[f"{phase}_ops_per_s"], "op/s")
            cells.append(f"{si(row[f'{phase}_s'], 's')}\n{speed}")
        shown.add_row(*cells)
    return shown
