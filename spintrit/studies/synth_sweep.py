"""Area and clock of many arrays; each differs from a first array in one parameter."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from golden import checks, jsonfile
from golden.config import DRAW_BITS, ArrayConfig
from golden.files import alone, write_atomically
from spintrit.report.figures import SERIES
from spintrit.report.synth_page import COLUMNS, page
from synth.report import key, report

RESULTS, PICTURE, PAGE = "synth.json", "synth.png", "synth.md"
VALUES: dict[str, tuple[int, ...]] = {
    "rows": (8, 16, 32, 64),
    "columns_per_cycle": (1, 2, 4, 8),
    "draw_bits": DRAW_BITS,
    "code_bits": (3, 4, 5, 6, 7, 8),
}
_LABELS = {
    "rows": "rows",
    "columns_per_cycle": "columns a cycle",
    "draw_bits": "width K of a draw",
    "code_bits": "width of a pulse code",
}
_DOT: Any = {"ls": ":", "lw": 1, "marker": "s"}  # of the dot product
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}

Entry = dict[str, Any]
_KINDS = {
    "target": str, "sweep": str, "device": str, "x": int, "config": dict, "first": dict,
    "versions": dict,
}  # fmt: skip
_SETTINGS = ("target", "sweep", "config", "first", "seed", "freq_mhz")


@dataclasses.dataclass(frozen=True)
class Point:
    """An array of a sweep: what differs, if anything does, all of its parameters, and those of the
    array that the sweep is around."""

    sweep: str
    config: ArrayConfig
    first: ArrayConfig

    @property
    def name(self) -> str:
        """Name of its folder."""
        config = self.config
        return "-".join(
            [f"{config.rows}x{config.cols}"]
            + [f"{field}{getattr(config, field)}" for field in list(VALUES)[1:]]
            + [config.synapse] * (config.synapse != "ternary")
            + [f"variants{config.variant_bits}"] * bool(config.variant_bits)
            + [f"errors{config.error_bits}"]
            + ["counters"] * config.counters
        )


def points(first: ArrayConfig) -> list[Point]:
    """The arrays around ``first``, which is one of them; those that cannot be are left out."""
    found = []
    for name, values in VALUES.items():
        for value in sorted({*values, getattr(first, name)}):
            if name == "columns_per_cycle" and first.cols % value:
                continue
            found.append(Point(name, dataclasses.replace(first, **{name: value}), first))
    return found


def run(
    point: Point, target: str, folder: Path, *, seed: int, freq_mhz: float, placed: bool
) -> Entry:
    """A point's report; reused if ``folder`` holds one of the same design and tools.

    Raises
    ------
    ToolError
        If a tool is missing or fails; a design that does not fit is no failure.
    OSError
        If a file cannot be written.
    """
    placement = f"seed{seed}-{freq_mhz:g}MHz" if placed else "area"
    place = folder / "points" / f"{target}-{point.name}-{placement}"
    path, wanted = place / "report.json", key(
        point.config, target, seed=seed, freq_mhz=freq_mhz, placed=placed
    )  # fmt: skip
    kept = _read(path)
    if not isinstance(kept, dict) or kept.get("key") != wanted:
        place.mkdir(parents=True, exist_ok=True)
        kept = report(
            point.config, target, place, seed=seed, freq_mhz=freq_mhz, placed=placed, parts=False
        )
        kept["key"] = wanted
        write_atomically(path, (json.dumps(kept, indent=1) + "\n").encode())
    where = {"sweep": point.sweep, "x": getattr(point.config, point.sweep)}
    entry: Entry = where | {"first": dataclasses.asdict(point.first)} | kept
    return entry


def _read(path: Path) -> Any:
    """The content of a JSON file; None if it is missing or damaged."""
    try:
        return jsonfile.read(path)
    except (FileNotFoundError, ValueError):
        return None


def line(entry: Entry) -> str:
    """A point in one line."""
    clock = f"{entry['fmax_mhz']:.2f} MHz" if entry["fmax_mhz"] else "not placed"
    return (
        f"{entry['target']}, {entry['sweep']} {entry['x']}: {entry['lut4']:,} LUT4, "
        f"{entry['ff']:,} FF, {entry['bram']} BRAM, {entry['lane_lut4']:.1f} LUT4 a lane, "
        f"{entry['misfit'] or clock}"
    )


def record(entry: Entry, folder: Path) -> None:
    """Put a point into synth.json. It replaces an earlier one of the same target, sweep and
    settings.

    Raises
    ------
    ValueError
        If synth.json is damaged.
    OSError
        If a file cannot be written.
    """

    def settings(one: Entry) -> Any:
        return [one[name] for name in _SETTINGS]

    path = folder / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):  # another sweep may be running
        kept = [one for one in recorded(folder) if settings(one) != settings(entry)]
        order = list(VALUES)
        new = {name: value for name, value in entry.items() if name not in ("path", "parts")}
        every = sorted([*kept, new], key=lambda e: (e["target"], order.index(e["sweep"]), e["x"]))
        write_atomically(path, (json.dumps(every, indent=1) + "\n").encode())


def recorded(folder: Path) -> list[Entry]:
    """The points in a folder's synth.json; none if there is no such file.

    Raises
    ------
    ValueError
        If synth.json is damaged.
    OSError
        If it cannot be read.
    """
    path = folder / RESULTS
    try:
        found: list[Entry] = jsonfile.read(path, list)
    except FileNotFoundError:
        return []
    for number, point in enumerate(found):
        try:
            _check(point)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: point {number}: {error}") from None
    return found


def _check(point: Any) -> None:
    """Refuse an entry that cannot be sorted, listed or drawn."""
    if not isinstance(point, dict):
        raise ValueError(f"must be an object, not {type(point).__name__}")
    for name, kind in _KINDS.items():
        jsonfile.entry(point, name, kind, "it")
    checks.choice("sweep", point["sweep"], tuple(VALUES))
    for name in ("config", "first"):
        for field in dataclasses.fields(ArrayConfig):
            if field.name not in point[name]:
                raise ValueError(f"{name} must hold {field.name!r}")
        try:
            ArrayConfig(**point[name])
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None
    for name in ("seed", *COLUMNS, "freq_mhz"):
        if name not in point:
            raise ValueError(f"it must hold {name!r}")
        if point[name] is not None:
            checks.real(name, point[name], 0)
    if not isinstance(point.get("misfit", ""), str | None):
        raise ValueError(f"misfit must be a text, not {point['misfit']!r}")
    if not all(isinstance(each, str) for each in point["versions"].values()):
        raise ValueError("versions must be texts")


def publish(folder: Path) -> None:
    """Write the page and the picture of all that synth.json in ``folder`` holds.

    Raises
    ------
    ValueError
        If synth.json is damaged.
    OSError
        If a file cannot be read or written.
    """
    buffer, entries = io.BytesIO(), recorded(folder)
    with mpl.rc_context(_STYLE):
        figure(entries).savefig(buffer, format="png", dpi=150)
    write_atomically(folder / PICTURE, buffer.getvalue())
    write_atomically(folder / PAGE, page(entries, _LABELS, PICTURE).encode())


def figure(entries: list[Entry]) -> Figure:
    """LUTs, LUTs a row and clock of one entry or more against each parameter; a colour for each
    target."""
    targets = list(dict.fromkeys(entry["target"] for entry in entries))
    sweeps = [name for name in VALUES if any(entry["sweep"] == name for entry in entries)]
    with mpl.rc_context(_STYLE):
        shown = Figure(figsize=(2.9 * len(sweeps) + 0.4, 6.6), layout="constrained")
        axes = shown.subplots(3, len(sweeps), squeeze=False, sharey="row", sharex="col")
        for column, sweep in enumerate(sweeps):
            mine = [entry for entry in entries if entry["sweep"] == sweep]
            _panels(axes[:, column], mine, targets)
            xs = sorted({entry["x"] for entry in mine})
            if sweep != "code_bits":  # the others double
                axes[2, column].set_xscale("log", base=2)
            axes[2, column].xaxis.set_major_locator(FixedLocator(xs))
            axes[2, column].xaxis.set_minor_locator(NullLocator())
            axes[2, column].set_xticklabels([str(x) for x in xs])
            axes[2, column].set_xlabel(_LABELS[sweep])
        axes[0, 0].set(ylabel="LUT4", yscale="log")
        axes[1, 0].set(ylabel="LUT4 a row", ylim=(0, None))
        axes[2, 0].set(ylabel="clock (MHz)", ylim=(0, None))
        area = axes[0, 0].yaxis
        area.set_major_locator(LogLocator(subs=(1, 2, 5)))
        area.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        area.set_minor_locator(NullLocator())
        shown.legend(
            handles=_legend(targets, any(entry["misfit"] for entry in entries)),
            loc="outside upper center", ncols=len(targets) + 3, frameon=False,
        )  # fmt: skip
        shown.supxlabel(_common(entries), fontsize=8, color="#666666")
    return shown


def _legend(targets: list[str], misfit: bool) -> list[Line2D]:
    """Colours of targets, then what lines and marks mean in any colour."""
    lines = [Line2D([], [], label=target, **looks) for target, looks in _looks(targets).items()]
    grey: Any = {"color": "#666666"}
    lines += [
        Line2D([], [], marker="o", ms=4, lw=1.2, label="lane", **grey),
        Line2D([], [], ms=3, label="dot product", **grey, **_DOT),
    ]
    if misfit:
        lines.append(Line2D([], [], marker="x", ms=6, lw=0, label="does not fit", **grey))
    return lines


def _common(entries: list[Entry]) -> str:
    """The array that each target's sweeps are around; a line for each such array."""
    around: dict[str, dict[str, None]] = {}
    for entry in entries:
        first = entry["first"]
        columns, counters = first["columns_per_cycle"], "with" if first["counters"] else "without"
        array = (
            f"around an array of {first['rows']} x {first['cols']}, {first['synapse']}, {columns} "
            f"column{'s' * (columns > 1)} a cycle, K = {first['draw_bits']}, codes of "
            f"{first['code_bits']} bits, {counters} activity counters"
        )
        around.setdefault(array, {})[entry["target"]] = None
    return "\n".join(f"{', '.join(targets)}: {array}" for array, targets in around.items())


def _looks(targets: list[str]) -> dict[str, dict[str, Any]]:
    """The line of each target. Thick lines with open marks and thin dashes alternate, so two equal
    lines both show."""
    below: Any = {"lw": 2.6, "marker": "o", "ms": 7, "mfc": "none"}
    above: Any = {"lw": 1.2, "marker": "o", "ms": 3.5, "ls": (0, (4, 3))}
    return {
        target: {"color": colour, **(above if number % 2 else below)}
        for number, (target, colour) in enumerate(zip(targets, SERIES, strict=False))
    }


def _panels(axes: Any, entries: list[Entry], targets: list[str]) -> None:
    area, lane, clock = axes
    for target, looks in _looks(targets).items():
        mine = sorted((e for e in entries if e["target"] == target), key=lambda e: e["x"])
        xs = [entry["x"] for entry in mine]
        area.plot(xs, [entry["lut4"] for entry in mine], **looks)
        lane.plot(xs, [e["lane_lut4"] for e in mine], **looks)
        lane.plot(xs, [e["dot_lut4_per_row"] for e in mine], **looks | _DOT)
        fits = [entry for entry in mine if entry["fmax_mhz"]]
        clock.plot([e["x"] for e in fits], [e["fmax_mhz"] for e in fits], **looks)
        for entry in mine:
            if entry["misfit"]:
                clock.plot(entry["x"], 0, marker="x", color=looks["color"], ms=6, clip_on=False)
    for axis in axes:
        axis.grid(axis="y", color="#DDDDDD", lw=0.6)
