"""The commands ``spintrit eval`` and ``spintrit export``."""

import argparse
from pathlib import Path
from typing import Any

from golden import checks
from golden.data.split import PARTS
from golden.device.nonideal import NonIdealities
from spintrit.cli.options import (
    EVAL_HELP,
    add_backend,
    add_data,
    add_fields,
    add_json,
    add_out,
    add_picture,
    path,
    silent,
    write_json,
)
from spintrit.outputs import PICTURES, STANDARD_OUTPUT, in_folder, writable
from spintrit.runs.conditions import FIELDS, STUCK
from spintrit.runs.settings import FILES
from spintrit.targets import ARRAYS, host_target


def add(commands: Any) -> None:
    """Add the commands to the top parser's."""
    evaluate = commands.add_parser(
        "eval",
        help="test a trained network: accuracy, also in RTL and under other conditions",
        description="Classify samples with the trained network in RUN. RTL scores are compared "
        "with the golden model's bit by bit; the exit status is 1 if they differ.",
    )
    _add_run(evaluate)
    evaluate.add_argument(
        "--array", choices=ARRAYS, default="",
        help="golden: numpy, bit-exact with the RTL; fast: numpy, statistical; rtl: Verilator, "
        "scores compared with golden; both: Verilator, all sums compared with golden [fast; golden "
        "if the run's reads are analog]",
    )  # fmt: skip
    add_backend(evaluate)
    add_data(evaluate)
    evaluate.add_argument(
        "--part", choices=PARTS[::-1], default="test", help="part of the data set [test]"
    )
    evaluate.add_argument(
        "--first", type=int, default=0, metavar="N", help="first sample of the part [0]"
    )
    evaluate.add_argument(
        "--count", type=int, metavar="N", help="number of samples [all from --first on]"
    )  # fmt: skip
    evaluate.add_argument("--confusion", action="store_true", help="print the confusion matrix")
    evaluate.add_argument(
        "--predictions", type=path, metavar="FILE",
        help="CSV file to write, a line per sample: index, label, predicted class, scores",
    )  # fmt: skip
    add_json(evaluate)
    group = evaluate.add_argument_group(
        "conditions",
        "Conditions of the test. They do not change how training wrote the cells. Converters and "
        "wires need --array golden.",
    )
    own = [name for name in FIELDS if name not in STUCK]
    add_fields(group, NonIdealities, EVAL_HELP, own, own="the run's")
    add_fields(group, NonIdealities, EVAL_HELP, STUCK, own="none")
    group.add_argument(
        "--reads",
        type=float,
        metavar="N",
        help=f"{EVAL_HELP['reads']} [0]",
    )
    group.add_argument(
        "--device", default="", metavar="NAME",
        help="device of reads and ageing, a name or a TOML file [the run's]",
    )  # fmt: skip
    group.add_argument(
        "--repeats", type=int, default=1, metavar="N",
        help="repetitions with new random draws of noise, flips, stuck cells and spread [1]",
    )  # fmt: skip
    group.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the first repetition; the next ones count up [the run's]",
    )
    group.add_argument(
        "--sweep", nargs="+", metavar=("OPTION", "X"),
        help="test with each value X of one condition, as in --sweep adc-bits 3 4 6",
    )  # fmt: skip
    add_picture(group, " (of the sweep)", short=False)
    evaluate.set_defaults(act=_eval)

    export = commands.add_parser(
        "export",
        help="write a trained network's weights and cells to files",
        description="Write the trained network in RUN to files in DIR. weights.npz: weights and "
        "batch norms. array0.mem, array1.mem, ...: cells of each array, for $readmemh and for "
        "generate --init. layout.json: position of each weight in the arrays.",
    )
    _add_run(export)
    add_out(export, "folder of the files; created if missing", required=True)
    export.set_defaults(act=_export)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=path, metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--weights", choices=tuple(FILES), default="best",
        help=f"best: epoch with the best validation accuracy ({FILES['best']}); last: last epoch "
        f"({FILES['last']}) [best]",
    )  # fmt: skip
    parser.add_argument("--rows", type=int, metavar="N", help="rows of an array [the run's]")
    parser.add_argument("--cols", type=int, metavar="N", help="columns of an array [the run's]")


def _eval(arguments: argparse.Namespace) -> int:
    from spintrit.report import evaluation as eval_report
    from spintrit.report.console import Console
    from spintrit.report.progress import ConsoleProgress
    from spintrit.runs.conditions import conditions
    from spintrit.runs.evaluate import Evaluation, evaluate
    from spintrit.runs.run import RUN_FILES
    from spintrit.runs.trained import load

    run_files = [arguments.run / name for name in RUN_FILES]
    writable(arguments.json, run_files)
    writable(arguments.predictions, [*run_files, _file(arguments.json)])
    writable(
        arguments.picture, [*run_files, _file(arguments.json), arguments.predictions], PICTURES
    )
    if arguments.count is not None:
        checks.integer("count", arguments.count, 1)
    name, values = _sweep(arguments)
    for option in ("confusion", "predictions") if name else ("picture",):
        if getattr(arguments, option):
            raise ValueError(f"{option} {'is not for' if name else 'needs'} a sweep")
    trained = load(arguments.run, arguments.weights)
    changes = {field: getattr(arguments, field) for field in FIELDS}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not name:
        conditions(trained, changes, arguments.device)  # refused before data are read
    compute = arguments.backend, arguments.products
    target = host_target(arguments.array, *compute) if arguments.array else None
    evaluation = Evaluation(
        trained, target, compute=compute[0], products=compute[1], root=arguments.data,
        part=arguments.part, first=arguments.first, count=arguments.count or 0,
        rows=arguments.rows, cols=arguments.cols,
        progress=ConsoleProgress(Console(stderr=silent(arguments))),
    )  # fmt: skip
    draws = {"repeats": arguments.repeats, "seed": arguments.seed}
    if name:
        from spintrit.report import figures
        from spintrit.runs.sweep import figure, sweep

        result = sweep(evaluation, name, values, changes, arguments.device, **draws)
        if arguments.picture:
            title = f"{arguments.run.resolve().name}: {result['dataset']}"
            figures.save(figure(result, title), in_folder(arguments.picture))
    else:
        under = conditions(trained, changes, arguments.device)
        result = evaluate(evaluation, under, file=arguments.predictions, **draws)
    if not silent(arguments):
        show = eval_report.sweep if name else eval_report.one
        Console().print(show(result))
        if arguments.confusion:
            Console().print(eval_report.confusion(result))
    write_json(arguments, result)
    return 0


def _file(path: Path | None) -> Path | None:
    """A file that is written; standard output is none."""
    return None if path == STANDARD_OUTPUT else path


def _sweep(arguments: argparse.Namespace) -> tuple[str, list[float]]:
    """Name and values of a sweep; "" and none without one."""
    if not arguments.sweep:
        return "", []
    option, *texts = arguments.sweep
    name = option.lstrip("-").replace("-", "_")
    checks.choice("sweep", name, FIELDS)
    if not texts:
        raise ValueError(f"sweep over {name} needs values")
    kind = int if isinstance(getattr(NonIdealities, name, 0.0), int) else float
    try:
        return name, [kind(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"sweep over {name}: {error}") from None


def _export(arguments: argparse.Namespace) -> int:
    from spintrit.runs.export import LAYOUT, export
    from spintrit.runs.trained import load

    trained = load(arguments.run, arguments.weights)
    layout = export(trained, arguments.out, rows=arguments.rows, cols=arguments.cols)
    count = len(layout["arrays"])
    print(f"{arguments.out}: {count} {'array' if count == 1 else 'arrays'}, {LAYOUT}")
    return 0
