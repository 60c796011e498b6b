"""Tables of an evaluation."""

from typing import Any

from rich.table import Table
from rich.text import Text

_KINDS = {
    "golden": "numpy",
    "fast": "whole matrices",
    "rtl": "RTL",
    "both": "RTL and numpy in lock step",
}


def one(result: dict[str, Any]) -> Table:
    """The figures of ``spintrit.runs.evaluate.evaluate``."""
    first, count, arrays = result["first"], result["samples"], result["arrays"]
    shown = Table(show_header=False, title=Text(f"{result['dataset']}, {result['part']} samples"))
    shown.add_column()
    shown.add_column(justify="right")
    rows: list[tuple[str, str]] = [
        ("hidden layers", result["network"] or "none"),
        ("weights", {"best": "best epoch", "last": "last epoch"}[result["weights"]]),
        (
            "target",
            f"{arrays} {'array' if arrays == 1 else 'arrays'} of {result['rows']} x "
            f"{result['cols']}, {_KINDS[result['array']]}",
        ),
        ("samples", f"{first:,} to {first + count - 1:,}"),
    ]
    for name, value in result.get("conditions", {}).items():
        rows.append((name.replace("_", " "), value if isinstance(value, str) else f"{value:g}"))
    rows += _accuracy(result)
    for key, label in (
        ("values_compared", "values compared"),
        ("scores_compared", "scores compared with the golden model's"),
        ("classes_compared", "classes compared with the golden model's"),
        ("differences", "differences"),
        ("rtl_cycles", "RTL cycles"),
        ("rtl_cycles_per_sample", "RTL cycles per sample"),
        ("rtl_cycles_per_second", "RTL cycles per second"),
        ("rtl_seconds", "seconds in RTL"),
    ):
        if key in result:
            rows.append((label, f"{result[key]:,}"))
    for label, value in (*rows, ("seconds", f"{result['seconds']:.1f}")):
        shown.add_row(Text(label), Text(value))
    return shown


def _accuracy(result: dict[str, Any]) -> list[tuple[str, str]]:
    count = result.get("repeats", 0)
    if count > 1:
        return [
            (f"accuracy, mean of {count} draws", f"{result['accuracy']:.2%}"),
            ("standard deviation", f"{100 * result['accuracy_sd']:.2f} points"),
            ("lowest and highest", f"{result['accuracy_min']:.2%} to {result['accuracy_max']:.2%}"),
        ]
    label = f"accuracy, one draw (seed {result['seeds'][0]})" if count else "accuracy"
    return [(label, f"{result['accuracy']:.2%} ({result['right']:,} of {result['samples']:,})")]


def sweep(result: dict[str, Any]) -> Table:
    """The figures of ``spintrit.runs.sweep.sweep``, one line per point."""
    shown = Table(
        title=Text(f"{result['dataset']}, {result['samples']:,} {result['part']} samples")
    )
    name = result["sweep"].replace("_", " ")
    for head in (name, "accuracy", "standard deviation", "lowest", "highest", "draws"):
        shown.add_column(head, justify="right")
    for point in result["points"]:
        count, row = point.get("repeats", 0), [f"{point['value']:g}", f"{point['accuracy']:.2%}"]
        if count > 1:
            row += [
                f"{100 * point['accuracy_sd']:.2f}", f"{point['accuracy_min']:.2%}",
                f"{point['accuracy_max']:.2%}", str(count),
            ]  # fmt: skip
        else:
            row += ["", "", "", "one draw" if count else "nothing random"]
        shown.add_row(*row)
    return shown


def confusion(result: dict[str, Any]) -> Table:
    """Samples by class (rows) and predicted class (columns), over all draws."""
    shown = Table(title="class (rows) and predicted class (columns)")
    shown.add_column()
    for name in result["classes"]:
        shown.add_column(Text(name), justify="right")
    for name, counts in zip(result["classes"], result["confusion"], strict=True):
        shown.add_row(Text(name), *[f"{count:,}" for count in counts])
    return shown
