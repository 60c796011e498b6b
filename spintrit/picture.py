"""The picture of a run: learning curve and cell-state populations."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from golden.checkpoint import write_atomically

# Okabe and Ito's colours, which most colour-blind readers can tell apart.
_COLOURS = {"+1": "#D55E00", "0w": "#BBBBBB", "0s": "#666666", "-1": "#0072B2"}
_NAMES = {"0w": "weak 0 (P, P)", "0s": "strong 0 (AP, AP)"}


def draw(metrics: list[dict[str, Any]], test_accuracy: float, path: Path) -> None:
    """Write a PNG of the lines of metrics.jsonl."""
    epochs = [entry["epoch"] for entry in metrics]
    layers = list(metrics[0]["populations"])
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.2 * (1 + len(layers)), 3.6), layout="constrained")
        axes = figure.subplots(1, 1 + len(layers), squeeze=False)[0]
        _learning(axes[0], epochs, metrics, test_accuracy)
        for axis, layer in zip(axes[1:], layers, strict=True):
            _populations(axis, epochs, [entry["populations"][layer] for entry in metrics], layer)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150)
    write_atomically(path, buffer.getvalue())


def _learning(axis: Any, epochs: list[int], metrics: list[dict[str, Any]], test: float) -> None:
    for name, label, colour in (
        ("train_accuracy", "training", "#999999"),
        ("val_accuracy", "validation", "#009E73"),
    ):
        axis.plot(epochs, [100 * entry[name] for entry in metrics], label=label, color=colour)
    axis.plot(epochs[-1], 100 * test, "k*", markersize=9, label=f"test {test:.2%}")
    axis.set(xlabel="epoch", ylabel="accuracy (%)", title="Learning curve")
    axis.legend(loc="lower center", frameon=False)
    switched = axis.twinx()
    switched.spines["right"].set_visible(True)
    switched.plot(epochs, [entry["cells_switched"] for entry in metrics], color="#E69F00", lw=0.8)
    switched.set_yscale("symlog", linthresh=1)
    switched.set_ylabel("cells switched per epoch", color="#B07700")


def _populations(axis: Any, epochs: list[int], states: list[dict[str, int]], layer: str) -> None:
    names = [name for name in _COLOURS if name in states[0]]
    counts = np.array([[entry[name] for name in names] for entry in states], float).T
    axis.stackplot(
        epochs,
        100 * counts / counts.sum(axis=0),
        labels=[_NAMES.get(name, name) for name in names],
        colors=[_COLOURS[name] for name in names],
    )
    axis.set(xlabel="epoch", ylabel="synapses (%)", ylim=(0, 100), title=f"Cell states, {layer}")
    axis.margins(x=0)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.16),
                ncols=2, frameon=False)  # fmt: skip
