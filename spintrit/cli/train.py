"""The commands ``spintrit train`` and ``spintrit demo``."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golden.config import ArrayConfig
from golden.data import DATASETS
from golden.data.augment import AUGMENTS
from golden.device.nonideal import NonIdealities
from golden.pulse.design import CoderConfig
from golden.targets import OnChip
from golden.train import defaults
from golden.train.config import TrainConfig
from spintrit.cli.options import (
    ARRAY_HELP,
    CODER_HELP,
    JUNCTION_HELP,
    LEARNING_HELP,
    NETWORK_HELP,
    READ_HELP,
    add_backend,
    add_data,
    add_fields,
    add_json,
    add_out,
    path,
    silent,
    write_json,
)
from spintrit.cli.parser import Parser
from spintrit.outputs import writable
from spintrit.runs.settings import FILES, Init, resumed
from spintrit.targets import ARRAYS, SERIAL, host_target, target

if TYPE_CHECKING:
    from spintrit.runs.request import Request

TRAIN_FOLDER, DEMO_FOLDER = Path("build/train"), Path("build/demo")


def add(commands: Any, training: dict[str, Any]) -> None:
    """Add both commands to the top parser's.

    ``training`` holds other defaults of train. With "array" among them, they are all settings of
    the run that goes on.
    """
    _add_demo(commands, training if "array" in training else {})
    _add_train(commands, training)


def _add_folder(parser: Any, default: Path | None, shown: str) -> None:
    add_out(parser, f"folder of the run [{shown}]", default=default)
    add_json(parser, "the run's summary")
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on from DIR's last checkpoint")
    earlier.add_argument("--overwrite", action="store_true", help="replace the run in DIR")


def _add_demo(commands: Any, resumed: dict[str, Any]) -> None:
    demo = commands.add_parser(
        "demo",
        help="train on handwritten digits; RTL and golden model in lock step",
        description="Train a 64-128-10 network on 8x8 handwritten digits. The RTL array and the "
        "golden array run in lock step, and every value is compared. Files in DIR: summary.json, "
        "metrics.jsonl, weights.npz, learning.png and, without --on-chip, the Verilog.",
    )
    demo.add_argument(
        "--seed", type=int, default=0, metavar="N", help=f"{LEARNING_HELP['seed']} [0]"
    )
    demo.add_argument(
        "--epochs", type=int, default=TrainConfig.epochs, metavar="N",
        help=f"{LEARNING_HELP['epochs']} [{TrainConfig.epochs}]",
    )  # fmt: skip
    demo.add_argument(
        "--on-chip", action="store_true",
        help="train on the accelerator, without a host",
    )  # fmt: skip
    _add_folder(demo, None, f"{DEMO_FOLDER}; for example {demo_folder(1, True)}")
    own = {name: resumed[name] for name in ("seed", "epochs", "on_chip") if name in resumed}
    demo.set_defaults(act=_demo, **own)


def _add_train(commands: Any, training: dict[str, Any]) -> None:
    train = commands.add_parser(
        "train",
        usage="%(prog)s [OPTION ...]",
        help="train a network",
        description="Train a network. A stopped run goes on with --out DIR --resume; DIR holds all "
        "its other settings, and the result is the same bit by bit. A finished run goes on with "
        "--resume and more --epochs. Data sets, named networks and --on-chip have their own "
        "defaults of training settings (docs/training.md).",
    )
    _add_target(train.add_argument_group("target"))
    _add_samples(train.add_argument_group("data"))
    _add_network(train.add_argument_group("network"))
    add_fields(train.add_argument_group("learning"), TrainConfig, LEARNING_HELP, LEARNING_HELP)
    _add_folder(train.add_argument_group("run"), TRAIN_FOLDER, str(TRAIN_FOLDER))
    add_fields(train.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    _add_junctions(train.add_argument_group("junctions and pulses"))
    unlike = train.add_argument_group("non-idealities of junctions")
    add_fields(unlike, NonIdealities, JUNCTION_HELP, JUNCTION_HELP)
    reads = train.add_argument_group("converters and wires (--array golden only)")
    add_fields(reads, NonIdealities, READ_HELP, READ_HELP)
    train.set_defaults(act=_train, **training)


def _add_target(group: Any) -> None:
    group.add_argument(
        "--array", type=_array, default="golden", metavar="{" + ",".join(ARRAYS) + ",serial:PORT}",
        help="golden: numpy, bit-exact with the RTL; fast: numpy, statistical, for large networks; "
        "rtl: Verilator; both: RTL checked against golden; serial:PORT: a board [golden]",
    )  # fmt: skip
    group.add_argument(
        "--on-chip", action="store_true",
        help="train on the accelerator, without a host: ternary inputs, gradient optimiser",
    )  # fmt: skip
    group.add_argument(
        "--tiles", type=int, metavar="N",
        help="with --on-chip: arrays that work in parallel, a power of two [1]",
    )  # fmt: skip
    add_backend(group)


def _add_samples(group: Any) -> None:
    group.add_argument(
        "--dataset", choices=tuple(DATASETS), default="digits", help="data set [digits]"
    )
    add_data(group)
    group.add_argument(
        "--input-bits", type=int, default=0, metavar="N",
        help="width of a signed input, bits; 2: ternary inputs; 0: the data set's own [0]",
    )  # fmt: skip
    group.add_argument(
        "--augment", choices=AUGMENTS, default="",
        help="crop: shift training images at random; crop-flip: also mirror them [the data set's]",
    )  # fmt: skip


def _add_network(group: Any) -> None:
    add_fields(group, TrainConfig, NETWORK_HELP, NETWORK_HELP)
    group.add_argument(
        "--width", type=float, default=1.0, metavar="X",
        help="multiply the outputs of each hidden layer by X [1]",
    )  # fmt: skip
    group.add_argument(
        "--init", type=path, metavar="RUN",
        help="start from the cells and batch norms of a finished run with the same layers",
    )  # fmt: skip
    group.add_argument(
        "--init-weights", choices=tuple(FILES), default="best",
        help="with --init; best: epoch with the best validation accuracy; last: last epoch [best]",
    )  # fmt: skip


def _add_junctions(group: Any) -> None:
    group.add_argument(
        "--device", default="", metavar="NAME",
        help="a built-in device (spintrit device list), a .toml file, or ideal: switching "
        "probability tanh; with --table: for reads and ageing only [default; with --table: the "
        "table's own]",
    )  # fmt: skip
    group.add_argument(
        "--table", type=path, metavar="FILE", help="table file with the switching probabilities"
    )
    add_fields(group, CoderConfig, CODER_HELP)


def _array(text: str) -> str:
    """The checked value of --array."""
    try:
        return host_target(text).text
    except ValueError:
        known = ", ".join(map(repr, ARRAYS))
        message = f"invalid choice: {text!r} (choose from {known}, '{SERIAL}PORT')"
        raise argparse.ArgumentTypeError(message) from None


def _run(arguments: argparse.Namespace, asked: "Request") -> int:
    from spintrit.report.console import Console
    from spintrit.report.progress import ConsoleProgress
    from spintrit.report.training import table
    from spintrit.runs.run import RUN_FILES, run

    inputs = [arguments.out / name for name in RUN_FILES]
    given = [getattr(arguments, name, None) for name in ("table", "device", "network")]
    files = [Path(each) for each in given if each]
    writable(arguments.json, [*inputs, *files])
    if arguments.overwrite:
        if asked.init:
            files += [asked.init.run / name for name in RUN_FILES]
        for each in inputs:
            writable(each, files)
    summary = run(
        asked, arguments.out, resume=arguments.resume, overwrite=arguments.overwrite,
        progress=ConsoleProgress(Console(stderr=silent(arguments))),
    )  # fmt: skip
    write_json(arguments, summary)
    if not silent(arguments):
        table(summary, arguments.out)
    return 0


def demo_folder(seed: int, on_chip: bool) -> Path:
    """The default folder of a demo, one for each seed and kind."""
    name = f"{DEMO_FOLDER.name}{'-on-chip' * on_chip}{f'-seed{seed}' * bool(seed)}"
    return DEMO_FOLDER.with_name(name)


def _demo(arguments: argparse.Namespace) -> int:
    from golden.files import write_atomically
    from golden.train.cells import Cells
    from spintrit.runs.request import Request
    from spintrit.runs.source import Source
    from synth.generate import TOP_NAME, array_verilog

    array = ArrayConfig()
    config = TrainConfig(seed=arguments.seed, epochs=arguments.epochs)
    if arguments.on_chip:
        config = dataclasses.replace(config, **defaults.ON_CHIP)
    if arguments.out is None:
        arguments.out = demo_folder(arguments.seed, arguments.on_chip)
    both = target("both", tiles=int(arguments.on_chip))
    status = _run(arguments, Request(both, Source(), config, array, Cells()))
    if not arguments.on_chip:
        write_atomically(arguments.out / f"{TOP_NAME}.v", array_verilog(array).encode())
    return status


def asked_for(arguments: argparse.Namespace) -> "Request":
    """What the options of ``spintrit train`` ask for."""
    from spintrit.runs.request import request

    if arguments.tiles is not None and not arguments.on_chip:
        raise ValueError(f"tiles = {arguments.tiles} needs --on-chip")
    host = host_target(arguments.array, arguments.backend, arguments.products)
    tiles = 1 if arguments.tiles is None else arguments.tiles
    return request(
        OnChip(host, tiles) if arguments.on_chip else host, vars(arguments),
        dataset=arguments.dataset, root=arguments.data, input_bits=arguments.input_bits,
        augment=arguments.augment, width=arguments.width,
        device=arguments.device, table=arguments.table,
        init=Init(arguments.init, arguments.init_weights) if arguments.init else None,
    )  # fmt: skip


def _train(arguments: argparse.Namespace) -> int:
    return _run(arguments, asked_for(arguments))


def training(argv: Sequence[str] | None) -> dict[str, Any]:
    """Defaults for this command line: the settings of the run to resume, or those of its data set
    and network."""
    words = list(sys.argv[1:] if argv is None else argv)
    early = Parser(prog="spintrit", add_help=False, strict=False)
    early.add_argument("--network", default=TrainConfig.network)
    early.add_argument("--dataset", default="")
    early.add_argument("--on-chip", action="store_true")
    if words[:1] in (["train"], ["demo"]):
        early.add_argument("-o", "--out", type=path)
        early.add_argument("--resume", action="store_true")
        early.add_argument("--seed", type=int, default=0)
    known = early.parse_known_args(words)[0]
    if getattr(known, "resume", False):
        default = TRAIN_FOLDER
        if words[0] == "demo":
            default = demo_folder(known.seed, known.on_chip)
        kept = resumed(known.out or default)
        if kept:
            return kept
    return defaults.settings(known.dataset, known.network, on_chip=known.on_chip)
