"""Pictures of runs: learning curves of one run, or of several on common axes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from spintrit.records import Run
from spintrit.report.figures import SERIES, save

_COLOURS = {"+1": "#D55E00", "0w": "#BBBBBB", "0s": "#666666", "-1": "#0072B2"}
_NAMES = {"0w": "weak 0 (P, P)", "0s": "strong 0 (AP, AP)"}
# Thick lines and thin dashed lines alternate: two equal lines both show.
_THICK = ("-", (0, (8, 2)), (0, (3, 1)))
_THIN = ((0, (4, 4)), (0, (1, 2)), (0, (6, 2, 1, 2)))
_STYLE = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
}  # fmt: skip


def draw_run(run: Run, path: Path) -> None:
    """Write a picture of a run: accuracies, loss, flip rate, and the cell states of each layer.

    Parameters
    ----------
    run : Run
    path : Path
        Ends in .png, .svg or .pdf.

    Raises
    ------
    ValueError
        If it ends otherwise.
    OSError
        Naming the file, if it cannot be written.
    """
    save(run_figure(run), path)


def draw_comparison(runs: Sequence[Run], path: Path) -> None:
    """Write a picture of several runs on common axes: validation accuracy, loss, flips, share of
    non-zero weights; ``path`` and errors as for ``draw_run``."""
    save(comparison_figure(runs), path)


def run_figure(run: Run) -> Figure:
    """The figure of ``draw_run``: three panels, then one for each layer."""
    layers, epochs = run.layers, run.epochs
    # As full a grid as there is; a free place takes the legend of the states.
    columns = 3 if len(layers) in (1, 2, 3, 5, 6, 9) else 4
    rows = math.ceil(len(layers) / columns)
    with mpl.rc_context(_STYLE):
        heights = [3.0] + [2.5 if rows == 1 else 1.9] * rows
        figure = Figure(figsize=(12.6 if columns == 3 else 14, sum(heights)), layout="constrained")
        axes = figure.subplots(1 + rows, columns, squeeze=False, height_ratios=heights)
        _accuracies(axes[0, 0], run)
        axes[0, 1].plot(epochs, [e["loss"] for e in run.history], color="#444444", **_dots(epochs))
        axes[0, 2].plot(epochs, run.flip_rates, color="#E69F00", **_dots(epochs))
        _loss_and_flips(axes[0, 1], axes[0, 2], [run])
        for axis in axes[0, :3]:
            _epochs(axis, epochs[-1])
        places = list(axes[1:].flat)
        for index, (axis, layer) in enumerate(zip(places, layers, strict=False)):
            _populations(axis, epochs, [entry["populations"][layer] for entry in run.history])
            synapses = sum(run.history[0]["populations"][layer].values())
            axis.set_title(f"{layer}: {synapses:,} synapse" + "s" * (synapses != 1))
            if index % columns == 0:
                axis.set_ylabel("synapses (%)")
            else:
                axis.tick_params(labelleft=False)
            _epochs(axis, epochs[-1])
            if index + columns < len(layers):  # another one is below
                axis.tick_params(labelbottom=False)
                axis.set_xlabel("")
        free = [*axes[0, 3:], *places[len(layers) :]]
        for axis in free:
            axis.set_axis_off()
        handles, labels = axes[1, 0].get_legend_handles_labels()
        ordered = (handles[::-1], labels[::-1])  # as they lie on each other
        if free:
            free[0].legend(*ordered, loc="center left", title="cell states", alignment="left")
        else:
            figure.legend(*ordered, loc="outside lower center", ncols=len(labels))
    return figure


def _dots(epochs: Sequence[int]) -> dict[str, Any]:
    """A line of one point needs more than a line."""
    return {"marker": "o", "markersize": 3.5} if len(epochs) == 1 else {}


def _epochs(axis: Any, last: int) -> None:
    """The same whole epochs on all axes."""
    ticks = MaxNLocator(6, integer=True).tick_values(0, last)
    axis.set(xlabel="epoch", xticks=[tick for tick in ticks if 1 <= tick <= last])


def _accuracies(axis: Any, run: Run) -> None:
    epochs = run.epochs
    for name, label, colour in (
        ("train_accuracy", "training", "#999999"),
        ("val_accuracy", "validation", "#009E73"),
    ):
        values = [100 * entry[name] for entry in run.history]
        axis.plot(epochs, values, label=label, color=colour, **_dots(epochs))
    for number, (epoch, accuracy) in enumerate(run.tests):
        label = f"test {accuracy:.2%}"
        if run.summary.get("chosen_epoch"):
            chosen = epoch == run.summary["chosen_epoch"]
            label += f", epoch {epoch} ({'chosen' if chosen else 'last'})"
        axis.plot(epoch, 100 * accuracy, "k*", markersize=9, label=label,
                  markerfacecolor="w" if number else "k")  # fmt: skip
    axis.set(ylabel="accuracy (%)", title="Learning curve")
    axis.legend(loc="best")


def _loss_and_flips(loss: Any, flips: Any, runs: Sequence[Run]) -> None:
    """Scales and labels of both panels, once the lines are there."""
    loss.set(ylabel="training loss", title="Loss")
    losses = [entry["loss"] for run in runs for entry in run.history]
    losses = [value for value in losses if math.isfinite(value)] or [0]
    ratio = max(losses) / min(losses) if min(losses) > 0 else 0.0
    if ratio > 5:  # else a logarithmic axis would show a tick or none
        loss.set_yscale("log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 300 else (1,)))
        loss.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        loss.yaxis.set_minor_formatter(NullFormatter())
    flips.set(ylabel="flips per cell and epoch", title="Flip rate")
    rates = [rate for run in runs for rate in run.flip_rates]
    low, high = min(rates), 10.0 ** math.ceil(math.log10(max(rates) or 1))
    if low > 0:
        low = 10.0 ** math.floor(math.log10(low))
        flips.set_yscale("log")
        flips.set_ylim(low, max(high, 10 * low))
        flips.yaxis.set_minor_formatter(NullFormatter())
    else:  # linear below the smallest rate but 0
        least = 10.0 ** -math.ceil(math.log10(max(run.cells for run in runs)))
        flips.set_yscale("symlog", linthresh=least)
        flips.set_ylim(-0.3 * least, high)


def _populations(axis: Any, epochs: list[int], states: list[dict[str, int]]) -> None:
    names = [name for name in _COLOURS if name in states[0]]
    counts = np.array([[entry[name] for name in names] for entry in states], float).T
    x: Any = epochs
    if len(epochs) == 1:
        x, counts = [epochs[0] - 0.5, epochs[0] + 0.5], np.repeat(counts, 2, axis=1)
    axis.stackplot(
        x,
        100 * counts / counts.sum(axis=0),
        labels=[_NAMES.get(name, name) for name in names],
        colors=[_COLOURS[name] for name in names],
    )
    axis.set(ylim=(0, 100))
    axis.margins(x=0)


def comparison_figure(runs: Sequence[Run]) -> Figure:
    """The figure of ``draw_comparison``."""
    labels = [_label(run) for run in runs]
    # The list of runs stands beside the panels, and takes nothing of their width.
    width, height = 8.6 + 0.7 + 0.075 * max(map(len, labels)), max(6.2, 0.19 * len(runs) + 0.6)
    states = ("+1",) if all(run.binary for run in runs) else ("+1", "-1")
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        (accuracy, loss), (flips, weights) = figure.subplots(2, 2)
        lines = []
        for index, run in enumerate(runs):
            styles = _THIN if index % 2 else _THICK
            looks = {
                "color": SERIES[index % len(SERIES)],
                "linestyle": styles[index // len(SERIES) // 2 % len(styles)],
                "linewidth": 1.3 if index % 2 else 2.4,
                **_dots(run.epochs),
            }
            validation = [100 * entry["val_accuracy"] for entry in run.history]
            lines += accuracy.plot(run.epochs, validation, **looks)
            loss.plot(run.epochs, [entry["loss"] for entry in run.history], **looks)
            flips.plot(run.epochs, run.flip_rates, **looks)
            weights.plot(run.epochs, [100 * share for share in run.shares(*states)], **looks)
        accuracy.set(ylabel="validation accuracy (%)", title="Validation accuracy")
        _loss_and_flips(loss, flips, runs)
        if len(states) == 1:
            weights.set(ylabel="weights of +1 (%)", title="Positive weights")
        else:
            weights.set(ylabel="weights of +1 or -1 (%)", title="Non-zero weights")
        for axis in (accuracy, loss, flips, weights):
            _epochs(axis, max(run.epochs[-1] for run in runs))
        # Folder names are no formulas, and hidden labels would be dropped.
        legend = figure.legend(lines, ["run"] * len(runs), loc="outside right upper")
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set_parse_math(False)
            text.set_text(label)
    return figure


def _label(run: Run) -> str:
    return f"{run.name}: test {run.tests[0][1]:.2%}" if run.tests else run.name
