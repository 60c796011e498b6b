"""Tables and pictures of the studies' results."""

import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from golden.files import write_atomically
from spintrit.outputs import no_run, writable
from spintrit.report.figures import SERIES, save
from spintrit.studies.study import ACCURACY, STUDIES, jobs, recorded
from spintrit.studies.studyfile import Study

PAGE = "README.md"
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
_TITLE_CHARACTERS = 95  # in a line of the figure's width
_LABEL_CHARACTERS = 45  # in a line of a panel's width

Entries = list[dict[str, Any]]


def write(folder: Path, studies: dict[str, Study] = STUDIES) -> None:
    """Write the page and the pictures of all that accuracy.json in ``folder`` holds.

    Studies that are not among ``studies`` come last, without title and note.

    Raises
    ------
    ValueError
        See ``not_of_others``.
    OSError
        If a file cannot be read or written.
    """
    not_of_others(folder)
    entries: Entries = recorded(folder)
    others = dict.fromkeys(e["study"] for e in entries if e["study"] not in studies)
    parts = []
    for name in (*studies, *others):
        study = studies.get(name) or Study(name, name, name, "", "", (), ())
        mine = [entry for entry in entries if entry["study"] == name]
        if name in studies:  # rows that the study has no more are of the past
            known = {job.row for job in jobs(study)}
            mine = [entry for entry in mine if entry["row"] in known]
        if not mine:
            parts.append(unmeasured(study))
            continue
        pictures = []
        for suffix, figure in figures(study, mine).items():
            pictures.append(f"{name}{suffix}.png")
            save(figure, folder / pictures[-1])
        parts.append(section(study, mine, pictures))
    text = "\n".join([_HEAD, *parts])
    write_atomically(folder / PAGE, text.encode())


def not_of_others(folder: Path) -> None:
    """Refuse a folder that cannot hold results, or whose page no study wrote.

    Raises
    ------
    ValueError
        Naming the page or the folder, or if accuracy.json is damaged.
    OSError
        If a file cannot be read.
    """
    no_run(folder)
    page = folder / PAGE
    writable(page)
    if (folder / ACCURACY).exists():
        recorded(folder)
    if page.exists() and not page.read_bytes().startswith(_MARK.encode()):
        raise ValueError(f"{page} was not written by a study: name another folder for results")


_MARK = "# Results of the studies\n\nWritten by `spintrit study`."
_HEAD = f"""{_MARK} All figures are in accuracy.json and accuracy.csv.

- The epoch is chosen on the validation samples. The test is made twice: with the weights of that
  epoch, and with those of the last one.
- A row with several seeds shows mean and standard deviation over the seeds. A row with one seed
  shows that single run.
- One standard error of 10,000 test samples is 0.10 points at 99 %, 0.3 at 90 %, 0.46 at 70 %.
- The commands leave out `--data DIR` and `--out DIR`.
"""


def unmeasured(study: Study) -> str:
    """The part of the page for a study without results."""
    note = " ".join(["Not run.", *filter(None, [study.note])])
    return "\n".join([f"## {study.title}", "", f"`spintrit study {study.source}`. {note}", ""])


def titled(study: Study, entries: Entries) -> str:
    """A study's title, with the data set where it is not the study's own."""
    dataset = entries[0]["dataset"]
    common = f"{study.common} "
    own = f"--dataset {dataset} " in common or ("--dataset" not in common and dataset == "digits")
    return study.title if own else f"{study.title} (data: {dataset})"


def section(study: Study, entries: Entries, pictures: list[str]) -> str:
    """A study's part of the page."""
    title = titled(study, entries)
    lines = [
        f"## {title}",
        "",
        f"`spintrit study {study.source}`; {entries[0]['dataset']}, {entries[0]['network']}, "
        f"{entries[0]['synapses']:,} synapses.",
        *filter(None, [study.note]),
        "",
        "| | test, chosen epoch (%) | last epoch (%) | seeds | epochs | bytes/weight | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in dict.fromkeys(entry["row"] for entry in entries):
        mine = [entry for entry in entries if entry["row"] == row]
        seeds = ", ".join(str(entry["seed"]) for entry in mine)
        command = " ".join(mine[0]["command"].split()[:-1]) + " N"
        cells = [_summary(mine, "test_accuracy"), _summary(mine, "last_test_accuracy"), seeds]
        cells += [str(mine[0]["epochs"]), str(mine[0]["optimiser_bytes_per_weight"])]
        cells = [cell.replace("|", "\\|") for cell in (row, *cells, f"`{command}`")]
        lines.append(f"| {' | '.join(cells)} |")
    shown = [f"![{title}]({picture})" for picture in pictures]
    return "\n".join([*lines, "", *shown, ""])


def _percent(entries: Entries, key: str = "test_accuracy") -> list[float]:
    return [100 * entry[key] for entry in entries]


def _deviation(values: list[float]) -> float:
    """Sample standard deviation; 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _summary(entries: Entries, key: str) -> str:
    values = _percent(entries, key)
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {_deviation(values):.2f}"


def figures(study: Study, entries: Entries) -> dict[str, Figure]:
    """The pictures of a study by the suffix of their names: a line for each row, and, if there
    are sweeps, a panel for each. With rows and sweeps, the sweeps' suffix is "-sweeps"."""
    sweeps = list(dict.fromkeys(entry["sweep"] for entry in entries if entry["sweep"]))
    rows = [entry for entry in entries if not entry["sweep"]]
    shown = {}
    with mpl.rc_context(_STYLE):
        if rows:
            shown[""] = _rows(titled(study, entries), rows)
        if sweeps:
            shown["-sweeps" if rows else ""] = _curves(titled(study, entries), entries, sweeps)
    return shown


def _caption(entries: Entries) -> str:
    """Legend of the marks in a picture."""
    runs: dict[str, int] = {}
    for entry in entries:
        runs[entry["row"]] = runs.get(entry["row"], 0) + 1
    marks = []
    if max(runs.values()) > 1:
        marks.append("bars: mean ± standard deviation over seeds; small dots: their runs")
    if min(runs.values()) == 1:
        marks.append("open circles: single runs, one seed")
    return "; ".join(marks)


def _head(figure: Figure, title: str, entries: Entries) -> None:
    figure.suptitle(textwrap.fill(title, _TITLE_CHARACTERS), fontsize=9, parse_math=False)
    figure.supxlabel(_caption(entries), fontsize=8, color="#666666")


def _points(axis: Any, at: float, values: list[float], colour: str, *, across: bool) -> None:
    """The runs of one row at place ``at``, ``across`` the page or upwards: a single run as an open
    circle, several as dots with mean and standard deviation."""

    def line(places: Any, spots: Any, *arguments: Any, **looks: Any) -> None:
        axis.plot(*((spots, places) if across else (places, spots)), *arguments, **looks)

    if len(values) == 1:
        line([at], values, "o", color=colour, mfc="white", ms=6)
        return
    line([at] * len(values), values, "o", color=colour, ms=3, alpha=0.5)
    mean, bar = float(np.mean(values)), _deviation(values)
    where = (mean, at) if across else (at, mean)
    error = {"xerr" if across else "yerr": bar}
    axis.errorbar(*where, **error, fmt="o", color=colour, ms=6, capsize=4, lw=1.2)


def _curves(title: str, entries: Entries, sweeps: list[str]) -> Figure:
    columns = min(3, len(sweeps))
    rows = -(-len(sweeps) // columns)
    size = (max(3.4 * columns, 5.0), 2.8 * rows + 0.6)
    shown = Figure(figsize=size, layout="constrained")
    axes = shown.subplots(rows, columns, squeeze=False).ravel()
    for axis, sweep in zip(axes, sweeps, strict=False):
        mine = sorted((e for e in entries if e["sweep"] == sweep), key=lambda e: e["x"])
        xs = sorted({entry["x"] for entry in mine})
        found = [_percent([entry for entry in mine if entry["x"] == x]) for x in xs]
        axis.plot(xs, [np.mean(values) for values in found], ":", color=SERIES[0], lw=1)
        for x, values in zip(xs, found, strict=True):
            _points(axis, x, values, SERIES[0], across=False)
        positive = [x for x in xs if x > 0]
        if positive and xs[0] >= 0 and positive[-1] / positive[0] >= 100:
            scale = (
                {"value": "symlog", "linthresh": positive[0]} if xs[0] == 0 else {"value": "log"}
            )
            axis.set_xscale(**scale)
        axis.set_xlabel(textwrap.fill(sweep, _LABEL_CHARACTERS), parse_math=False)
        axis.set(ylabel="test accuracy (%)" if axis in axes[::columns] else None)
        # Each has its own range, but none so small that chance looks like a trend.
        ends = [float(np.mean(v)) + sign * _deviation(v) for v in found for sign in (-1, 1)]
        ends += _percent(mine)
        low, high = min(ends), max(ends)
        middle, half = (high + low) / 2, max((high - low) * 0.55, 1.5)
        axis.set_ylim(middle - half, middle + half)
        axis.grid(axis="y", color="#DDDDDD", lw=0.6)
    for axis in axes[len(sweeps) :]:
        axis.set_visible(False)
    _head(shown, title, [entry for entry in entries if entry["sweep"]])
    return shown


def _rows(title: str, entries: Entries) -> Figure:
    rows = list(dict.fromkeys(entry["row"] for entry in entries))
    memory = {entry["row"]: entry["optimiser_bytes_per_weight"] for entry in entries}
    differ = len(set(memory.values())) > 1
    added = [f"\n({memory[row]} bytes a weight)" if differ else "" for row in rows]
    labels = [textwrap.fill(row, 50) + more for row, more in zip(rows, added, strict=True)]
    heights = [max(1.0, 0.25 + 0.4 * len(label.split("\n"))) for label in labels]
    steps = [(above + below) / 2 for above, below in pairwise(heights)]
    places = [sum(steps[:number]) for number in range(len(rows))]
    shown = Figure(figsize=(7, 1.4 + 0.42 * sum(heights)), layout="constrained")
    axis = shown.subplots()
    for number, (place, row) in enumerate(zip(places, rows, strict=True)):
        values = _percent([entry for entry in entries if entry["row"] == row])
        _points(axis, place, values, SERIES[number % len(SERIES)], across=True)
        axis.annotate(f"{np.mean(values):.2f}", (float(np.mean(values)), place), (0, 8),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axis.set_yticks(places, labels, parse_math=False)
    axis.set_ylim(places[-1] + heights[-1] / 2 + 0.1, -heights[0] / 2 - 0.3)
    axis.margins(x=0.15)
    axis.set_xlim(right=min(axis.get_xlim()[1], 100.5))
    axis.set(xlabel="test accuracy at the epoch chosen on validation (%)")
    _head(shown, title, entries)
    axis.grid(axis="x", color="#DDDDDD", lw=0.6)
    return shown
