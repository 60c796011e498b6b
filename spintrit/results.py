"""Tables and pictures of the studies' results."""

import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from golden.checkpoint import write_atomically
from spintrit.studies import ACCURACY, STUDIES

PAGE = "README.md"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")

Entries = list[dict[str, Any]]


def write(folder: Path) -> None:
    """Write the page and the pictures of all that accuracy.json in ``folder`` holds.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    """
    entries: Entries = json.loads((folder / ACCURACY).read_text())
    parts = []
    for name in STUDIES:
        mine = [entry for entry in entries if entry["study"] == name]
        if not mine:
            parts.append(unmeasured(name))
            continue
        picture = f"{name}.png"
        buffer = io.BytesIO()
        figure(name, mine).savefig(buffer, format="png", dpi=150)
        write_atomically(folder / picture, buffer.getvalue())
        parts.append(section(name, mine, picture))
    text = "\n".join([_HEAD, *parts])
    write_atomically(folder / PAGE, text.encode())


_HEAD = """# Results of the studies

Written by `spintrit study NAME --results docs/results`; all figures are in accuracy.json and
accuracy.csv. The epoch is chosen on the validation samples, the test is made with the weights of
that epoch and with those of the last. Of a row with several seeds the mean is shown, and from the
least to the most. One standard error of 10,000 test samples is 0.10 points at 99 %, 0.3 at 90 %,
0.46 at 70 %. The commands leave out `--data DIR` and `--out DIR`.
"""


def unmeasured(name: str) -> str:
    """The part of the page of a study without results."""
    note = " ".join(["Not run.", *filter(None, [STUDIES[name].get("note")])])
    return "\n".join([f"## {STUDIES[name]['title']}", "", f"`spintrit study {name}`. {note}", ""])


def titled(name: str, entries: Entries) -> str:
    """A study's title, with the data set where it is not the study's own."""
    title, dataset = STUDIES[name]["title"], entries[0]["dataset"]
    common = f"{STUDIES[name]['common']} "
    own = f"--dataset {dataset} " in common or ("--dataset" not in common and dataset == "digits")
    return title if own else f"{title} (data: {dataset})"


def section(name: str, entries: Entries, picture: str) -> str:
    """A study's part of the page."""
    title = titled(name, entries)
    lines = [
        f"## {title}",
        "",
        f"`spintrit study {name}`; {entries[0]['dataset']}, {entries[0]['network']}, "
        f"{entries[0]['synapses']:,} synapses.",
        *filter(None, [STUDIES[name].get("note")]),
        "",
        "| | test, chosen epoch (%) | last epoch (%) | seeds | epochs | bytes/weight | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in dict.fromkeys(entry["row"] for entry in entries):
        mine = [entry for entry in entries if entry["row"] == row]
        seeds = ", ".join(str(entry["seed"]) for entry in mine)
        command = " ".join(mine[0]["command"].split()[:-1]) + " N"
        cells = [_range(mine, "test_accuracy"), _range(mine, "last_test_accuracy"), seeds]
        cells += [str(mine[0]["epochs"]), str(mine[0]["optimiser_bytes_per_weight"])]
        lines.append(f"| {row} | {' | '.join(cells)} | `{command}` |")
    return "\n".join([*lines, "", f"![{title}]({picture})", ""])


def _range(entries: Entries, key: str) -> str:
    values = [100 * entry[key] for entry in entries]
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


def figure(name: str, entries: Entries) -> Figure:
    """The picture of a study: a curve for each sweep, a line of dots for each other row."""
    sweeps = list(dict.fromkeys(entry["sweep"] for entry in entries if entry["sweep"]))
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        if sweeps:
            return _curves(entries, sweeps)
        return _dots(name, entries)


def _curves(entries: Entries, sweeps: list[str]) -> Figure:
    columns = min(3, len(sweeps))
    rows = -(-len(sweeps) // columns)
    shown = Figure(figsize=(3.4 * columns, 2.8 * rows), layout="constrained")
    axes = shown.subplots(rows, columns, squeeze=False).ravel()
    for axis, sweep in zip(axes, sweeps, strict=False):
        mine = sorted((e for e in entries if e["sweep"] == sweep), key=lambda e: e["x"])
        xs = sorted({entry["x"] for entry in mine})
        mean = [100 * np.mean([e["test_accuracy"] for e in mine if e["x"] == x]) for x in xs]
        axis.plot(xs, mean, "-", color=_COLOURS[0], lw=1)
        dots = [100 * entry["test_accuracy"] for entry in mine]
        axis.plot([entry["x"] for entry in mine], dots, "o", color=_COLOURS[0], ms=4)
        positive = [x for x in xs if x > 0]
        if positive and xs[0] == 0 and positive[-1] / positive[0] >= 100:
            axis.set_xscale("symlog", linthresh=positive[0])
        axis.set(xlabel=sweep, ylabel="test accuracy (%)" if axis in axes[::columns] else None)
        # Each has its own range, but none so small that chance looks like a trend.
        middle, half = (max(dots) + min(dots)) / 2, max((max(dots) - min(dots)) * 0.55, 1.5)
        axis.set_ylim(middle - half, middle + half)
        axis.grid(axis="y", color="#DDDDDD", lw=0.6)
    for axis in axes[len(sweeps) :]:
        axis.set_visible(False)
    return shown


def _dots(name: str, entries: Entries) -> Figure:
    rows = list(dict.fromkeys(entry["row"] for entry in entries))
    shown = Figure(figsize=(7, 0.9 + 0.42 * len(rows)), layout="constrained")
    axis = shown.subplots()
    for place, row in enumerate(rows):
        mine = [100 * entry["test_accuracy"] for entry in entries if entry["row"] == row]
        colour = _COLOURS[place % len(_COLOURS)]
        axis.plot(mine, [place] * len(mine), "o", color=colour, ms=5, alpha=0.8)
        axis.plot(np.mean(mine), place, "|", color=colour, ms=16, mew=2)
        axis.annotate(f"{np.mean(mine):.2f}", (np.mean(mine), place), (0, 10),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    memory = {entry["row"]: entry["optimiser_bytes_per_weight"] for entry in entries}
    told = len(set(memory.values())) > 1
    labels = [f"{row}\n({memory[row]} bytes a weight)" if told else row for row in rows]
    axis.set_yticks(range(len(rows)), labels)
    axis.set_ylim(len(rows) - 0.4, -0.8)
    axis.margins(x=0.15)
    axis.set_xlim(right=min(axis.get_xlim()[1], 100))
    axis.set(xlabel="test accuracy at the epoch chosen on validation (%)")
    axis.set_title(titled(name, entries), fontsize=9)
    axis.grid(axis="x", color="#DDDDDD", lw=0.6)
    return shown
