"""Energy, efficiency and speed of a finished run, as a report and as tables."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from golden import checks, device, energy, jsonfile, spec, tablefile, usage
from golden import costs as cost_table
from golden.config import ArrayConfig
from golden.costs import Costs
from golden.device import Device
from golden.energy import ARRAY_PARTS, PERIPHERY_PARTS, PHASES
from golden.spec import Block
from spintrit.console import Console
from spintrit.records import SUMMARY
from spintrit.settings import TABLE
from spintrit.units import si

SPARSITY = tuple(i / 20 for i in range(21))  # shares of zero inputs of the curves

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


def report(folder: Path, costs: Path | None = None, adc_bits: int | None = None) -> dict[str, Any]:
    """What a run's training took, by ``golden.energy``.

    Parameters
    ----------
    folder : Path
        Of a finished run: summary.json and table.json.
    costs : Path, optional
        TOML file whose entries take the place of the default costs.
    adc_bits : int, optional
        Effective bits of a forward conversion; by default the run's, or enough for exact sums.

    Returns
    -------
    dict
        ``per_sample_j`` (joules by phase and part, a training sample), ``efficiency`` (operations
        a joule), ``published`` and ``needed`` (for the published figures), ``shares`` (of zero
        inputs and weights, and of products gated off; rows without weights left out), ``used``
        (share of the arrays' synapses that hold weights, by phase), ``sparsity`` (forward joules a
        sample), ``timing`` (with full and mean pulses), ``costs`` and what the run was.

    Raises
    ------
    ValueError
        If a file of the run is missing or lacks what is needed, naming it.
    TypeError, OSError
        As the files' readers.
    """
    summary, array = _summary(folder / SUMMARY)
    samples, activity = summary["train_samples"], summary["activity"]
    if not (folder / TABLE).is_file():
        raise ValueError(f"{folder / TABLE} must exist; it comes with a finished run")
    table = tablefile.load(folder / TABLE)
    junction = table.device or device.load("default")
    surroundings = cost_table.load(costs)
    # A binary synapse has one rule, which reads nothing.
    exact = summary.get("train_config", {}).get("rule") == "exact" and array.cells == 2
    tick_s = table.table.tick_s
    # The run's own converters, if it had any; exact ones else.
    settings = summary.get("nonideal", {})
    if adc_bits is None:
        adc_bits = settings.get("adc_bits") or None
    back_bits = settings.get("backward_adc_bits") or None
    spent = energy.energy(
        activity, junction, tick_s, array, surroundings, adc_bits, back_bits, exact=exact
    )  # fmt: skip
    used = _used(summary, array, str(folder / SUMMARY))
    pulses = energy.pulse_count(activity)
    ticks = sum(number for name, number in activity.items() if name.startswith("ticks"))
    pulse_s = {"full": float(table.table.pulse_s[-1].max())}
    if ticks:
        pulse_s["mean"] = ticks * tick_s / pulses
    sharing = sorted({1, 4, 16, array.cols // array.columns_per_cycle, array.cols})
    return {
        "folder": str(folder),
        "array": {"rows": array.rows, "cols": array.cols, "synapse": array.synapse},
        "device": junction.name,
        "device_assumed": table.device is None,
        "read_j": energy.read_j(junction),
        "pulse_w": energy.pulse_w(junction),
        "conversion_j": [
            surroundings.adc_j_per_step * 2**bits
            for bits in (adc_bits or array.sum_bits, back_bits or array.cols.bit_length() + 1)
        ],
        "rule_reads": exact,
        "samples": samples,
        "total_j": {
            name: energy.total(spent, periphery=name == "periphery") for name in ACCOUNTINGS
        },
        "per_sample_j": {
            phase: {part: joules / samples for part, joules in parts.items()}
            for phase, parts in spent.items()
        },
        "switched_bounds_j": [
            bound / samples for bound in energy.switched_bounds(activity, junction, tick_s)
        ],
        "efficiency": energy.efficiency(activity, spent, array, used),
        "published": energy.PUBLISHED,
        "needed": energy.published(junction, array),
        "used": used,
        "shares": _shares(activity, array, used["forward"]),
        "sparsity": _sparsity(
            activity, junction, array, surroundings, adc_bits, samples, used["forward"]
        ),
        "pulse_s": pulse_s,
        "timing": {
            name: energy.timing(
                junction, array, surroundings, length,
                [columns for columns in sharing if columns <= array.cols], exact=exact,
            )
            for name, length in pulse_s.items()
        },
        "costs": {
            name: {"value": getattr(surroundings, name), "source": surroundings.sources[name]}
            for name in cost_table.NAMES
        },
    }  # fmt: skip


def _summary(path: Path) -> tuple[dict[str, Any], ArrayConfig]:
    """The run's summary, what is needed of it checked, and its array."""
    try:
        summary = jsonfile.read(path)
    except FileNotFoundError:
        raise ValueError(f"{path} must exist; it comes with a finished run") from None
    config = summary.get("array_config")
    if isinstance(config, dict) and config.get("counters") is False:
        raise ValueError(f"{path}: a run with --no-counters has no energy to report")
    for name, kind in (("activity", dict), ("train_samples", int), ("array_config", dict)):
        jsonfile.entry(summary, name, kind, str(path))
    for name in ("train_config", "nonideal"):  # earlier runs may lack them
        jsonfile.entry(summary, name, dict, str(path), {})
    try:
        checks.integer("train_samples", summary["train_samples"], 1)
        energy.checked(summary["activity"])
        return summary, ArrayConfig(**summary["array_config"])
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None


def _classes(summary: dict[str, Any], hidden: Sequence[Block], shape: Sequence[int]) -> int:
    """Outputs of a run's last layer; an earlier run's follow from its number of synapses."""
    if "classes" in summary["data"]:
        return len(summary["data"]["classes"])
    before = sum(math.prod(size) for size in spec.matrices(hidden, shape))
    return (summary["synapses"] - before) // math.prod(spec.shapes(hidden, shape)[-1])


def _used(summary: dict[str, Any], array: ArrayConfig, source: str) -> dict[str, float]:
    """``golden.usage.used`` of a run; earlier runs do not say what they were trained on."""
    training, data = summary.get("train_config", {}), summary.get("data") or {}
    if "network" not in training or "shape" not in data:
        return {"forward": 1.0, "update": 1.0}
    try:
        hidden = spec.parse(training["network"])
        blocks = [*hidden, Block(_classes(summary, hidden, data["shape"]))]
        planes = max(checks.integer("input_bits", data["input_bits"], 2, 8) - 1, 1)
        tiles = checks.integer("tiles", summary.get("tiles", 0), 0)
        return usage.used(blocks, data["shape"], array, planes, tiles)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source}: data or network cannot be read: {error}") from None


def _shares(activity: dict[str, int], array: ArrayConfig, used: float) -> dict[str, float]:
    """Zeros among the inputs and the weights that forward reads met, and gated products, of the
    share ``used`` of the synapses."""
    pairs = activity["forward_conversions"] * array.rows * used
    driven = (activity["forward_cells_p"] + activity["forward_cells_ap"]) / array.cells
    products = activity["forward_products"]
    shares = {}
    if pairs:
        shares = {"zero_inputs": 1 - driven / pairs, "gated": 1 - products / pairs}
    if driven:
        shares["zero_weights"] = 1 - products / driven
    return shares


def _sparsity(
    activity: dict[str, int], junction: Device, array: ArrayConfig, costs: Costs,
    adc_bits: int | None, samples: int, used: float,
) -> dict[str, Any]:  # fmt: skip
    """Forward joules a sample against the share of zero inputs, for some shares of zero weights.

    A read drives a row's whole line, but may convert only some of the columns. So the drives of a
    vector are the run's own, in proportion to the inputs that are not zero.
    """
    vectors = activity["forward_conversions"] / array.cols / samples
    driven = 1 - _shares(activity, array, used).get("zero_inputs", 1.0)
    drives = activity["forward_drives"] / samples / driven if driven else 0.0
    kinds = [("none", 0.0, 1.0)]
    if array.synapse == "ternary":
        kinds += [("half, weak (P, P)", 0.5, 1.0), ("half, strong (AP, AP)", 0.5, 0.0)]
    curves = []
    for name, zero_weights, weak in kinds:
        curve: dict[str, Any] = {"name": name, "array": [], "periphery": []}
        for zero_inputs in SPARSITY:
            each = energy.expected_forward(array, 1 - used * (1 - zero_inputs), zero_weights, weak)
            expected = {name: vectors * count for name, count in each.items()}
            expected["forward_drives"] = drives * (1 - zero_inputs)
            spent = energy.energy(expected, junction, 0.0, array, costs, adc_bits)
            for accounting in ACCOUNTINGS:
                joules = energy.total(spent, "forward", periphery=accounting == "periphery")
                curve[accounting].append(joules)
        curves.append(curve)
    return {"zero_inputs": list(SPARSITY), "curves": curves}


def summed(per_sample: dict[str, Any], phase: str, accounting: str) -> float:
    return energy.total(per_sample, phase, periphery=accounting == "periphery")


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
    title = f"Energy a training sample, arrays of {size}, device {report['device']}{assumed}"
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
    shown = Table("TOPs/W", *PHASES, title="Operations a second and watt")
    for column in shown.columns[1:]:
        column.justify = "right"
    for accounting, name in ACCOUNTINGS.items():
        for which, label in (("all", "all operations"), ("done", "those done")):
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
        "all: gated-off products, and synapses that get no pulse, count as done; a multiplication "
        "and an addition are two operations, an update of a synapse is one.",
        "One read of a cell takes {} in P and {} in AP, a pulse {} and {}; one conversion {} "
        "forward and {} backward.".format(
            *(si(j, "J") for j in report["read_j"]),
            *(si(w, "W") for w in report["pulse_w"]),
            *(si(j, "J") for j in report["conversion_j"]),
        ),
        f"Cells that switch half way through their pulse: assumed; bounds {low} to {high}.",
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
            "Half of the inputs zero save {:.0%} of the forward energy of the array alone, {:.1%} "
            "with periphery.".format(*saved)
        )
    lines += [
        f"Published forward figure: {si(needed['forward_synapse_j'], 'J')} a synapse, of which "
        f"these cells take {si(needed['forward_cells_j'], 'J')}; it holds if all else takes "
        f"{si(needed['forward_column_j'], 'J')} a column (a converter of "
        f"{si(needed['forward_adc_j_per_step'], 'J')} a step; published ones of this speed take 34 "
        f"fJ and more: plausible), or, with cells alone, if a read takes "
        f"{si(needed['forward_read_s'], 's')} (less so).",
        f"Published update figure: {si(needed['update_j'], 'J')} an update; it holds if every "
        f"cell gets a pulse of {si(needed['update_pulse_s'], 's')} on average, "
        f"{needed['update_pulse_share']:.1%} of the full one, and nothing else takes energy: "
        "plausible early in training.",
    ]
    return lines


def _timing_table(report: dict[str, Any]) -> Table:
    lengths = report["pulse_s"]
    shown = Table("columns a converter", "vector forward", "vector backward",
                  title="Time and operations a second of one array")  # fmt: skip
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
