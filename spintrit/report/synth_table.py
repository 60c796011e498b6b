"""A synthesis report on the terminal."""

from pathlib import Path
from typing import Any

from rich.table import Table

from golden.units import si
from spintrit.report.console import Console
from synth.report import stretches

_AREA = {"lut4": "LUT4", "ff": "FF", "bram": "BRAM", "dsp": "DSP", "memory_bits": "memory bits"}
_LANE = {
    "dot_lut4_per_row": "LUT4 of the dot product, a row",
    "lane_lut4": "LUT4 of a lane: dot product, row sum, switching",
    "array_lut4_per_row": "LUT4 of the whole array without counters, a row",
}
_RATES = {"products_per_s": "products a second", "updates_per_s": "updates a second"}


def show(result: dict[str, Any], folder: Path) -> None:
    """Print a report of ``synth.report.report``, and the folder of its files."""
    console = Console()
    console.print(_figures(result))
    if result["parts"]:
        console.print(_parts(result))
    if result["path"]:
        console.print(_path(result))
    tools = ", ".join(result["versions"].values())
    console.print(tools, highlight=False)
    console.print(f"files in {folder}/", highlight=False)


def _figures(result: dict[str, Any]) -> Table:
    config = result["config"]
    array = config.get("array", config)
    shown = Table(
        show_header=False,
        title=f"{result['block']} of {array['rows']} x {array['cols']}\n{result['device']}",
    )
    shown.add_column()
    shown.add_column(justify="right")
    for name, label in _AREA.items():
        if name != "memory_bits" or result[name]:
            shown.add_row(label, f"{result[name]:,}")
    for name, count in result["other"].items():
        shown.add_row(f"other cells, {name}", f"{count:,}")
    for name, label in _LANE.items():
        if name in result:
            shown.add_row(label, f"{result[name]:.2f}")
    if result["misfit"]:
        shown.add_row("clock", "does not fit")
    elif result["fmax_mhz"]:
        shown.add_row("clock, MHz", f"{result['fmax_mhz']:.2f}")
        for name, label in _RATES.items():
            if name in result:
                shown.add_row(label, si(result[name], ""))
    return shown


def _parts(result: dict[str, Any]) -> Table:
    """Resources of each kind of component."""
    shown = Table(title="components, each synthesised by itself")
    shown.add_column("")
    for head in ("count", "LUT4 of one", "FF", "all LUT4", "without inner ones"):
        shown.add_column(head, justify="right")
    for part in result["parts"]:
        path = part["path"].split(".") if part["path"] else []
        count = part["count"]
        # Where there is nothing within, its own is all of it.
        inner = part["own"]["lut4"] != part["lut4"]
        shown.add_row(
            "  " * len(path) + (path[-1] if path else "all"),
            str(count),
            f"{part['lut4']:,}",
            f"{part['ff']:,}",
            f"{part['lut4'] * count:,}",
            f"{part['own']['lut4'] * count:,}" if inner else "",
        )
    return shown


def _path(result: dict[str, Any]) -> Table:
    """The critical path; ``~`` marks a net that the tools made from a signal."""
    shown = Table(title="worst path, ns (~: made from that signal)")
    shown.add_column("signal", overflow="fold")
    for head in ("logic", "wires"):
        shown.add_column(head, justify="right")
    sums = [0.0, 0.0]
    for signal, delays in stretches(result["path"]):
        wires = delays.get("routing", 0.0)
        logic = sum(delays.values()) - wires
        sums = [sums[0] + logic, sums[1] + wires]
        shown.add_row(signal, f"{logic:.2f}", f"{wires:.2f}")
    shown.add_section()
    shown.add_row("sum", *(f"{part:.2f}" for part in sums))
    return shown
