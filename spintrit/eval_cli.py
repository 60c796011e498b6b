"""The commands ``spintrit eval`` and ``spintrit export``."""

import argparse
from typing import Any

from golden.backend import BACKENDS
from golden.data.split import PARTS
from golden.train import BEST, WEIGHTS
from spintrit.options import ARRAYS, add_json, add_out, path, silent, writable, write_json

_CHOICES = ("best", "last")
_KINDS = {
    "golden": "numpy",
    "fast": "whole matrices",
    "rtl": "RTL",
    "both": "RTL and numpy in lock step",
}


def add(commands: Any) -> None:
    """Add the commands to the top parser's."""
    evaluate = commands.add_parser(
        "eval",
        help="classify samples by a trained network, also in RTL",
        description="Classify samples by the network that train left in RUN. In RTL its scores "
        "must be the golden model's, bit for bit; the exit status is 1 if they are not.",
    )
    _add_run(evaluate)
    evaluate.add_argument(
        "--array", choices=ARRAYS, default="",
        help="what holds the synapses: numpy arrays, whole matrices, the RTL, whose scores are "
        "compared with the golden model's, or RTL and golden in lock step, which compares all sums "
        "[fast; golden if the run's reads are analog]",
    )  # fmt: skip
    evaluate.add_argument(
        "--backend", choices=BACKENDS, default="numpy",
        help="what computes with --array fast: numpy, PyTorch, PyTorch on a GPU [numpy]",
    )  # fmt: skip
    evaluate.add_argument(
        "--data", type=path, metavar="DIR",
        help="where the data set's files are [SPINTRIT_DATA, or a cache that downloads fill]",
    )  # fmt: skip
    evaluate.add_argument(
        "--part", choices=PARTS[::-1], default="test", help="part of the data set [test]"
    )
    evaluate.add_argument(
        "--first", type=int, default=0, metavar="N", help="first sample of the part [0]"
    )
    evaluate.add_argument(
        "--count", type=int, metavar="N", help="samples from there on [all]"
    )  # fmt: skip
    add_json(evaluate)
    evaluate.set_defaults(act=_eval)

    export = commands.add_parser(
        "export",
        help="write a trained network's cells as memory files",
        description="Write into DIR the weights and batch norms of the network that train left in "
        "RUN (weights.npz), the cells of each array as a file for $readmemh and for generate "
        "--init (array0.mem, ...), and what lies where (layout.json).",
    )
    _add_run(export)
    add_out(export, "folder, made if missing", required=True)
    export.set_defaults(act=_export)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--weights", choices=_CHOICES, default="best",
        help=f"of the epoch best on validation ({BEST}) or of the last ({WEIGHTS}) [best]",
    )  # fmt: skip
    parser.add_argument("--rows", type=int, metavar="N", help="of an array [the run's]")
    parser.add_argument("--cols", type=int, metavar="N", help="of an array [the run's]")


def _eval(arguments: argparse.Namespace) -> int:
    from golden import checks
    from spintrit.console import Console
    from spintrit.evaluate import evaluate
    from spintrit.run import RUN_FILES
    from spintrit.trained import load

    writable(arguments.json, [arguments.run / name for name in RUN_FILES])
    if arguments.count is not None:
        checks.integer("count", arguments.count, 1)
    result = evaluate(
        load(arguments.run, arguments.weights), arguments.array,
        compute=arguments.backend, root=arguments.data, part=arguments.part,
        first=arguments.first, count=arguments.count or 0,
        rows=arguments.rows, cols=arguments.cols,
        console=Console(stderr=silent(arguments)),
    )  # fmt: skip
    if not silent(arguments):
        _show(result)
    write_json(arguments, result)
    return 0


def _show(result: dict[str, Any]) -> None:
    from rich.table import Table

    from spintrit.console import Console

    first, count, arrays = result["first"], result["samples"], result["arrays"]
    shown = Table(show_header=False, title=f"{result['dataset']}, {result['part']} samples")
    shown.add_column()
    shown.add_column(justify="right")
    rows: list[tuple[str, str]] = [
        ("hidden layers", result["network"] or "none"),
        ("weights", {"best": "best on validation", "last": "last epoch"}[result["weights"]]),
        (
            "synapses in",
            f"{arrays} {'array' if arrays == 1 else 'arrays'} of {result['rows']} x "
            f"{result['cols']}, {_KINDS[result['array']]}",
        ),
        ("samples", f"{first:,} to {first + count - 1:,}"),
        ("accuracy", f"{result['accuracy']:.2%} ({result['right']:,} of {count:,})"),
    ]
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
        shown.add_row(label, value)
    Console().print(shown)


def _export(arguments: argparse.Namespace) -> int:
    from spintrit.export import LAYOUT, export
    from spintrit.trained import load

    trained = load(arguments.run, arguments.weights)
    layout = export(trained, arguments.out, rows=arguments.rows, cols=arguments.cols)
    count = len(layout["arrays"])
    print(f"{arguments.out}: {count} {'array' if count == 1 else 'arrays'}, {LAYOUT}")
    return 0
