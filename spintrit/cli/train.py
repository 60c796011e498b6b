"""The commands ``spintrit train`` and ``spintrit demo``."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golden.config import ArrayConfig
from golden.data import DATASETS
from golden.data.augment import AUGMENTS
from golden.device.nonideal import NonIdealities
from golden.network import notation
from golden.pulse.design import IDEAL, CoderConfig
from golden.targets import OnChip
from golden.train import defaults
from golden.train.cells import Cells
from golden.train.config import TrainConfig
from spintrit.cli.options import (
    ARRAY_HELP,
    CODER_HELP,
    NONIDEAL_HELP,
    TRAIN_HELP,
    add_backend,
    add_data,
    add_fields,
    add_json,
    add_out,
    fields,
    path,
    silent,
    write_json,
)
from spintrit.cli.parser import Parser
from spintrit.outputs import writable
from spintrit.runs.settings import FILES, Init, resumed
from spintrit.targets import ARRAYS, SERIAL, host_target, target

TRAIN_FOLDER, DEMO_FOLDER = Path("build/train"), Path("build/demo")


def add(commands: Any, training: dict[str, Any]) -> None:
    """Add both commands to the top parser's; ``training`` has other defaults of train, or, with
    "array" among them, those of a run that goes on."""
    _add_demo(commands, training if "array" in training else {})
    _add_train(commands, training)


def _add_folder(parser: argparse.ArgumentParser, default: Path | None, told: str) -> None:
    add_out(parser, f"folder [{told}]", default=default)
    add_json(parser, "the run's summary")
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on from DIR's last checkpoint")
    earlier.add_argument("--overwrite", action="store_true", help="drop the run that DIR holds")


def _add_demo(commands: Any, resumed: dict[str, Any]) -> None:
    demo = commands.add_parser(
        "demo",
        help="train on handwritten digits in RTL and golden model in lock step",
        description="Train 64-128-10 on the 8x8 digits, on the RTL array and on the golden array "
        "in lock step, comparing every value; leave summary.json, metrics.jsonl, weights.npz, "
        "learning.png and the Verilog (without --on-chip) in DIR.",
    )
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="of all randomness [0]")
    demo.add_argument(
        "--epochs", type=int, default=TrainConfig.epochs, metavar="N",
        help=f"passes over the training data [{TrainConfig.epochs}]",
    )  # fmt: skip
    demo.add_argument(
        "--on-chip", action="store_true",
        help="let the accelerator do all of the training, instead of arrays under the host",
    )  # fmt: skip
    _add_folder(demo, None, f"{DEMO_FOLDER}, {demo_folder(1, True)} and so on")
    own = {name: resumed[name] for name in ("seed", "epochs", "on_chip") if name in resumed}
    demo.set_defaults(act=_demo, **own)


def _add_train(commands: Any, training: dict[str, Any]) -> None:
    train = commands.add_parser(
        "train",
        help="train any network on any array",
        description="Train a network. A killed run goes on with --out DIR --resume, which takes "
        "all other settings from there, and ends with the same bits; with more --epochs a finished "
        "run goes on. A data set, a named network and --on-chip bring training settings of their "
        "own (docs/training.md), which options replace.",
    )
    train.add_argument(
        "--array", type=_array, default="golden", metavar="{" + ",".join(ARRAYS) + ",serial:PORT}",
        help="what holds the synapses: numpy arrays, bit for bit the RTL's; whole matrices of the "
        "same cells with draws of numpy's generators, for large networks; the RTL; RTL and golden "
        "in lock step; with --on-chip an accelerator of these; an array, or with --on-chip an "
        "accelerator, on a board [golden]",
    )  # fmt: skip
    train.add_argument(
        "--on-chip", action="store_true",
        help="let the accelerator do all of the training, by its own state-free rule; trits as "
        "inputs, and other defaults of learning rates and dead zone",
    )  # fmt: skip
    train.add_argument(
        "--tiles", type=int, metavar="N",
        help="arrays of the accelerator that work side by side, a power of two [1]",
    )  # fmt: skip
    add_backend(train)
    train.add_argument(
        "--dataset", choices=tuple(DATASETS), default="digits", help="what is learnt [digits]"
    )
    add_data(train)
    train.add_argument(
        "--input-bits", type=int, default=0, metavar="N",
        help="width of a signed input, 2 for trits; 0 is the data set's own [0]",
    )  # fmt: skip
    train.add_argument(
        "--augment", choices=AUGMENTS, default="",
        help="random moves and mirroring of training images [the data set's own]",
    )  # fmt: skip
    _add_folder(train, TRAIN_FOLDER, str(TRAIN_FOLDER))
    train.add_argument(
        "--init", type=path, metavar="RUN",
        help="start from the cells and batch norms of a finished run with the same layers",
    )  # fmt: skip
    train.add_argument(
        "--init-weights", choices=tuple(FILES), default="best",
        help="of its epoch best on validation, or of its last [best]",
    )  # fmt: skip
    options = train.add_argument_group("training")
    add_fields(options, TrainConfig, TRAIN_HELP)
    options.add_argument(
        "--width", type=float, default=1.0, metavar="X",
        help="times as many outputs of each hidden layer [1.0]",
    )  # fmt: skip
    add_fields(train.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    cells = train.add_argument_group("cells")
    cells.add_argument(
        "--device", default="", metavar="NAME",
        help=f"a device by name, a TOML file, or {IDEAL!r}: switching by tanh itself; with --table "
        "the device of reads and ageing alone [default; the table's own with --table]",
    )  # fmt: skip
    cells.add_argument(
        "--table", type=path, metavar="FILE", help="a table file, for the switching probabilities"
    )
    add_fields(train.add_argument_group("pulse coder"), CoderConfig, CODER_HELP)
    add_fields(train.add_argument_group("non-idealities"), NonIdealities, NONIDEAL_HELP)
    train.set_defaults(act=_train, **training)


def _array(text: str) -> str:
    """What --array names."""
    try:
        return host_target(text).text
    except ValueError:
        known = ", ".join(map(repr, ARRAYS))
        message = f"invalid choice: {text!r} (choose from {known}, '{SERIAL}PORT')"
        raise argparse.ArgumentTypeError(message) from None


def _run(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from spintrit.report.console import Console
    from spintrit.report.training import table
    from spintrit.runs.run import RUN_FILES, run

    inputs = [arguments.out / name for name in RUN_FILES]
    given = [getattr(arguments, name, None) for name in ("table", "device", "network")]
    files = [Path(each) for each in given if each]
    writable(arguments.json, [*inputs, *files])
    if arguments.overwrite:
        if options.get("init"):
            files += [options["init"].run / name for name in RUN_FILES]
        for each in inputs:
            writable(each, files)
    summary = run(
        out=arguments.out, resume=arguments.resume, overwrite=arguments.overwrite,
        console=Console(stderr=silent(arguments)), **options,
    )  # fmt: skip
    write_json(arguments, summary)
    if not silent(arguments):
        table(summary, arguments.out)
    return 0


def demo_folder(seed: int, on_chip: bool) -> Path:
    """The default folder of a demo: each seed and each kind has its own."""
    name = f"{DEMO_FOLDER.name}{'-on-chip' * on_chip}{f'-seed{seed}' * bool(seed)}"
    return DEMO_FOLDER.with_name(name)


def _demo(arguments: argparse.Namespace) -> int:
    from golden.files import write_atomically
    from spintrit.runs.source import Source
    from synth.generate import TOP_NAME, array_verilog

    array = ArrayConfig()
    config = TrainConfig(seed=arguments.seed, epochs=arguments.epochs)
    if arguments.on_chip:
        config = dataclasses.replace(config, **defaults.ON_CHIP)
    if arguments.out is None:
        arguments.out = demo_folder(arguments.seed, arguments.on_chip)
    both = target("both", tiles=int(arguments.on_chip))
    options = {"target": both, "source": Source(), "config": config, "array": array}
    status = _run(arguments, options)
    if not arguments.on_chip:
        write_atomically(arguments.out / f"{TOP_NAME}.v", array_verilog(array).encode())
    return status


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What ``spintrit train`` passes on: its options, checked, but for the run's folder."""
    from spintrit.runs.source import Source

    arguments.network = notation.scaled(notation.load(arguments.network)[0], arguments.width)
    found: dict[str, Any] = {
        "config": fields(TrainConfig, arguments),
        "array": fields(ArrayConfig, arguments),
        "cells": Cells(
            device=arguments.device,
            table=arguments.table,
            coder=fields(CoderConfig, arguments),
            nonideal=fields(NonIdealities, arguments),
        ),
    }
    if arguments.tiles is not None and not arguments.on_chip:
        raise ValueError(f"tiles = {arguments.tiles} needs --on-chip")
    host = host_target(arguments.array, arguments.backend)
    tiles = 1 if arguments.tiles is None else arguments.tiles
    source = Source(
        dataset=arguments.dataset, root=arguments.data,
        input_bits=arguments.input_bits or (2 if arguments.on_chip else 0),
        augment=arguments.augment,
    )  # fmt: skip
    return found | {
        "source": source,
        "target": OnChip(host, tiles) if arguments.on_chip else host,
        "init": Init(arguments.init, arguments.init_weights) if arguments.init else None,
    }


def _train(arguments: argparse.Namespace) -> int:
    return _run(arguments, settings(arguments))


def training(argv: Sequence[str] | None) -> dict[str, Any]:
    """Defaults that the command line asks for: all settings of the run that it resumes, or those
    that suit its data set and network."""
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
