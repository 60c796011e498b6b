"""The picture of a run's energy."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from golden.energy.model import ARRAY_PARTS, PERIPHERY_PARTS, PHASES
from golden.units import scale, si
from spintrit.report.energy import ACCOUNTINGS, PARTS, summed
from spintrit.report.figures import save

# Okabe and Ito's colours, which most colour-blind readers can distinguish, and a grey.
_COLOURS = {
    "cells": "#56B4E9",
    "idle": "#BBBBBB",
    "failed": "#E69F00",
    "switched": "#D55E00",
    "access": "#F0E442",
    "converters": "#0072B2",
    "drivers": "#009E73",
    "supply": "#CC79A7",
    "digital": "#444444",
}
_LINES = ("-", "--", ":")


def draw(report: dict[str, Any], path: Path) -> None:
    """Write a picture of a report: energy per training sample by part, and against sparsity.

    Raises
    ------
    ValueError
        If ``path`` ends in neither .png, .svg nor .pdf.
    """
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 7), layout="constrained")
        axes = figure.subplots(2, 2)
        for column, (accounting, name) in enumerate(ACCOUNTINGS.items()):
            _bars(axes[0, column], report["per_sample_j"], accounting, name.capitalize())
            _against_sparsity(axes[1, column], report, accounting)
        # The right-hand bars have all parts that there are.
        figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside upper center",
                      ncols=5, frameon=False)  # fmt: skip
        save(figure, path)


def _bars(axis: Any, per_sample: dict[str, Any], accounting: str, title: str) -> None:
    """Shares by part, sums on top: the phases differ by orders of magnitude."""
    heights = [summed(per_sample, phase, accounting) for phase in PHASES]
    bottom = [0.0] * len(PHASES)
    for part in ARRAY_PARTS if accounting == "array" else ARRAY_PARTS + PERIPHERY_PARTS:
        values = [
            100 * per_sample[phase].get(part, 0.0) / (height or 1.0)
            for phase, height in zip(PHASES, heights, strict=True)
        ]
        if any(values):
            axis.bar(PHASES, values, 0.62, bottom, label=PARTS[part], color=_COLOURS[part])
            bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    for x, height in enumerate(heights):
        axis.text(x, 102, si(height, "J"), ha="center")
    axis.set(title=f"{title}: {si(sum(heights), 'J')} a training sample", ylim=(0, 110),
             ylabel="share of energy (%)")  # fmt: skip


def _against_sparsity(axis: Any, report: dict[str, Any], accounting: str) -> None:
    sparsity, shares = report["sparsity"], report["shares"]
    prefix, factor = scale(max(curve[accounting][0] for curve in sparsity["curves"]))
    percent = [100 * share for share in sparsity["zero_inputs"]]
    colour = _COLOURS["cells" if accounting == "array" else "converters"]
    for curve, line in zip(sparsity["curves"], _LINES, strict=False):
        values = [joules / factor for joules in curve[accounting]]
        axis.plot(percent, values, line, color=colour, label=curve["name"])
    if "zero_inputs" in shares:
        joules = summed(report["per_sample_j"], "forward", accounting)
        axis.plot(
            100 * shares["zero_inputs"], joules / factor, "k*", markersize=9, label="this run"
        )
    axis.set(xlabel="zero inputs (%)", ylabel=f"forward energy a sample ({prefix}J)",
             xlim=(0, 100))  # fmt: skip
    axis.set_ylim(0, 1.08 * axis.get_ylim()[1])
    place = "upper right" if accounting == "array" else "lower left"
    axis.legend(frameon=False, title="zero weights", loc=place, alignment="left")
