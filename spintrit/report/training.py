"""The table at the end of a run."""

from pathlib import Path
from typing import Any

from rich.table import Table

from golden.units import si
from spintrit.report.console import Console

# Entries of a summary in the order of the table, with label and format.
_ROWS = {
    "chosen_epoch": ("best epoch (by validation accuracy)", "{}"),
    "val_accuracy": ("validation accuracy, best epoch", "{:.2%}"),
    "test_accuracy": ("test accuracy, best epoch", "{:.2%}"),
    "last_test_accuracy": ("test accuracy, last epoch", "{:.2%}"),
    "values_compared": ("values compared", "{:,}"),
    "differences": ("differences", "{:,}"),
    "rtl_cycles": ("RTL cycles", "{:,}"),
    "rtl_cycles_per_second": ("RTL cycles per second", "{:,}"),
    "cycles_by_formula": ("clock cycles, by formula", "{:,}"),
    "cells_switched": ("cells switched", "{:,}"),
    "optimiser_bytes_per_weight": ("optimiser's memory, bytes per weight", "{}"),
    "array_j_per_train_sample": ("energy per training sample, array alone", "{}"),
    "total_j_per_train_sample": ("energy per training sample, with periphery", "{}"),
    "seconds": ("seconds", "{:.1f}"),
}

_KINDS = {
    "golden": "numpy",
    "fast": "simulated as whole matrices",
    "rtl": "RTL",
    "both": "RTL and numpy in lock step",
}


def table(summary: dict[str, Any], out: Path, console: Console | None = None) -> None:
    """Print a summary's figures and the folder of the run's files."""
    rows, cols = (summary["array_config"][name] for name in ("rows", "cols"))
    count = summary["arrays"]
    arrays = f"{count} {'array' if count == 1 else 'arrays'} of {rows} x {cols}"
    if summary.get("on_chip"):
        arrays = f"an accelerator with {arrays}"
    shown = Table(show_header=False, title=f"{summary['dataset']}, seed {summary['seed']}")
    shown.add_column()
    shown.add_column(justify="right")
    shown.add_row("hidden layers", summary["train_config"]["network"] or "none")
    shown.add_row("target", f"{arrays}, {_KINDS.get(summary['array'], summary['array'])}")
    for key, (label, form) in _ROWS.items():
        if key in summary:
            value = summary[key]
            if "_j_" in key and summary.get("energy_assumes_default_device"):
                label += " (default device assumed)"
            shown.add_row(label, form.format(si(value, "J") if "_j_" in key else value))
    for end in summary.get("earlier", []):
        label = f"test accuracy after {end['epochs']} epochs"
        shown.add_row(label, f"{end['test_accuracy']:.2%} (epoch {end['chosen_epoch']})")
    console = console or Console()
    console.print(shown)
    if "accelerator" in summary:
        console.print(_utilisation(summary))
    console.print(f"files in {out}/", highlight=False, soft_wrap=True)


def _utilisation(summary: dict[str, Any]) -> Table:
    """How the accelerator used its cycles."""
    counts = summary["accelerator"]
    shown = Table(title="clock cycles of the accelerator")
    for head in ("instruction", "all", "lanes at work", "share"):
        shown.add_column(head, justify="left" if head == "instruction" else "right")
    for phase in ("forward", "backward", "update"):
        total, busy = counts[f"{phase}_cycles"], counts[f"{phase}_busy"]
        share = f"{busy / total:.1%}" if total else ""
        shown.add_row(phase.upper(), f"{total:,}", f"{busy:,}", share)
    return shown
