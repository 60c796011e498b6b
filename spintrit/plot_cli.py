"""The command ``spintrit plot``."""

import argparse
from pathlib import Path
from typing import Any

COMPARISON = "comparison.png"


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    plot = commands.add_parser(
        "plot",
        help="picture of a run's course, or of several runs together",
        description="Draw what train and demo left in RUN, finished or not: accuracies, loss, flip "
        "rate and the cell states of each layer; of several RUNs validation accuracy, loss, flip "
        "rate and non-zero weights on common axes.",
    )
    plot.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    plot.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help=f"a .png, .svg or .pdf file [RUN/learning.png; of several RUNs {COMPARISON}]",
    )  # fmt: skip
    plot.set_defaults(act=_plot)


def _plot(arguments: argparse.Namespace) -> int:
    from golden import checks
    from spintrit import picture, records

    runs, path = arguments.runs, arguments.output
    path = path or (runs[0] / records.PICTURE if len(runs) == 1 else Path(COMPARISON))
    checks.choice(f"suffix of {path}", path.suffix, picture.SUFFIXES)
    found = records.load_runs(runs)
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(found) == 1:
        picture.draw_run(found[0], path)
    else:
        picture.draw_comparison(found, path)
    print(path)
    return 0
