"""The command ``spintrit plot``."""

import argparse
from pathlib import Path
from typing import Any

from spintrit.cli.options import add_picture, path
from spintrit.outputs import PICTURES, in_folder, writable

COMPARISON = "comparison.png"


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    plot = commands.add_parser(
        "plot",
        help="draw the learning curves of one run, or of several runs",
        description="Draw the learning curves of a run of train or demo, finished or not. "
        "One RUN: accuracy, loss, flip rate and the cell states of each layer. Several RUNs: "
        "validation accuracy, loss, flip rate and non-zero weights on common axes.",
    )
    plot.add_argument("runs", nargs="+", type=path, metavar="RUN", help="folder of a run")
    add_picture(plot, f" [RUN/learning.png; with several RUNs {COMPARISON}]", short=True)
    plot.set_defaults(act=_plot)


def _plot(arguments: argparse.Namespace) -> int:
    from golden.train.trainer import METRICS
    from spintrit import records
    from spintrit.report import picture

    runs, out = arguments.runs, arguments.picture
    out = out or (runs[0] / records.PICTURE if len(runs) == 1 else Path(COMPARISON))
    inputs = [run / name for run in runs for name in (METRICS, records.SUMMARY)]
    writable(out, inputs, PICTURES)
    found = records.load_runs(runs)
    if len(found) == 1:
        picture.draw_run(found[0], in_folder(out))
    else:
        picture.draw_comparison(found, in_folder(out))
    print(out)
    return 0
