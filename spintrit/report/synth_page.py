"""The page of a sweep's results: tables by target, in Markdown."""

from collections.abc import Iterable
from typing import Any

from golden.config import ArrayConfig
from golden.units import si

Entry = dict[str, Any]

COLUMNS = {
    "lut4": "LUT4",
    "ff": "FF",
    "bram": "block RAM",
    "dsp": "DSP",
    "dot_lut4_per_row": "LUT4 of the dot product, a row",
    "lane_lut4": "LUT4 of a lane",
    "array_lut4_per_row": "LUT4 of the array, a row",
    "fmax_mhz": "MHz",
    "products_per_s": "products a second",
    "updates_per_s": "updates a second",
}
_DIGITS = {"dot_lut4_per_row": 2, "lane_lut4": 1, "array_lut4_per_row": 1, "fmax_mhz": 1}


def page(entries: list[Entry], labels: dict[str, str], picture: str) -> str:
    """All entries, a table a target; ``labels`` name the sweeps."""
    lines = [
        "# Area, clock and throughput on FPGAs",
        "",
        "Written by the commands below. `docs/fpga.md` explains the columns. A product is one "
        "synapse read in FORWARD, an update is one synapse driven in UPDATE. Both are per second "
        "at the clock that place and route reached for the whole array with its controller.",
        "",
        f"![LUTs and clock against each parameter]({picture})",
    ]
    for target in dict.fromkeys(entry["target"] for entry in entries):
        mine = [entry for entry in entries if entry["target"] == target]
        lines += ["", f"## {target}", "", f"{mine[0]['device']}."]
        lines += [f"{', '.join(tools)}." for tools in _each(e["versions"].values() for e in mine)]
        lines += ["", "```console", *_each(map(command, mine)), "```", ""]
        lines += _table(mine, labels)
    return "\n".join(lines) + "\n"


def command(entry: Entry) -> str:
    """The command line of an entry's sweep, which has one point for each value."""
    config, default = entry["first"], vars(ArrayConfig())
    words = ["$ spintrit synth --sweep", f"--target {entry['target']}"]
    for name, value in config.items():
        if name == "counters":
            words += ["--no-counters"] * (not value)
        elif value != default[name] or name in ("rows", "cols"):
            words.append(f"--{name.replace('_', '-')} {value}")
    words += [f"--seed {entry['seed']} --clock {entry['freq_mhz']:g}"] if entry["seed"] else []
    words += [] if entry["seed"] else ["--no-place"]
    return " ".join([*words, "--results DIR"])


def _each(values: Iterable[Any]) -> list[Any]:
    """Distinct items, in order."""
    return list(dict.fromkeys(tuple(v) if not isinstance(v, str) else v for v in values))


def _table(entries: list[Entry], labels: dict[str, str]) -> list[str]:
    lines = [
        f"| | {' | '.join(COLUMNS.values())} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    for entry in entries:
        config = entry["config"]
        name = f"{config['rows']} x {config['cols']}"
        if entry["sweep"] != "rows":
            name += f", {labels[entry['sweep']]} {entry['x']}"
        lines.append(f"| {name} | {' | '.join(_cell(entry, column) for column in COLUMNS)} |")
    return lines


def _cell(entry: Entry, column: str) -> str:
    value = entry[column]
    if value is None:
        return "does not fit" if column == "fmax_mhz" and entry["misfit"] else ""
    if column.endswith("_per_s"):
        return si(value, "")
    return f"{value:,.{_DIGITS.get(column, 0)}f}"
