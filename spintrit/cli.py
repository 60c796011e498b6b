"""The command ``spintrit``."""

import argparse
import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from golden import spec
from golden.backend import BACKENDS
from golden.coder import CoderConfig
from golden.config import ArrayConfig
from golden.data import DATASETS
from golden.data.augment import AUGMENTS
from golden.lockstep import Mismatch
from golden.nonideal import NonIdealities
from golden.train import TrainConfig
from spintrit import device_cli, eval_cli, fpga_cli, ip_cli, plot_cli, study_cli, synth_cli
from spintrit.onchip import DEFAULTS, SERIAL, Chip
from spintrit.options import (
    ARRAY_HELP,
    ARRAYS,
    CODER_HELP,
    IDEAL,
    NONIDEAL_HELP,
    TRAIN_HELP,
    add_fields,
    add_out,
    fields,
    in_folder,
    path,
    writable,
)

DEMO_FOLDER = "build/demo"


class _Parser(argparse.ArgumentParser):
    """Errors in one line; options in full, since a network's settings depend on one."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **{"allow_abbrev": False} | options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _add_folder(parser: argparse.ArgumentParser, default: str) -> None:
    add_out(parser, f"folder [{default}]", default=Path(default))
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on from DIR's last checkpoint")
    earlier.add_argument("--overwrite", action="store_true", help="drop the run that DIR holds")


def parser(training: dict[str, Any] | None = None) -> argparse.ArgumentParser:
    """The command line's parser; ``training`` has other defaults of ``spintrit train``."""
    top = _Parser(
        prog="spintrit",
        description="Train ternary networks inside an array of magnetic tunnel junctions: RTL and "
        "golden model, bit for bit.",
    )
    version = f"spintrit {metadata.version('spintrit')}"
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(metavar="COMMAND", required=True)

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
    _add_folder(demo, DEMO_FOLDER)
    demo.set_defaults(act=_demo)

    train = commands.add_parser(
        "train",
        help="train any network on any array",
        description="Train a network. A killed run goes on with --resume and ends with the same "
        "bits. A named network brings training settings of its own, which options replace; "
        "--on-chip has others for its optimiser.",
    )
    train.add_argument(
        "--array", type=_kind, default="golden", metavar="{" + ",".join(ARRAYS) + ",serial:PORT}",
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
    train.add_argument(
        "--backend", choices=BACKENDS, default="numpy",
        help="what computes with --array fast: numpy, PyTorch, PyTorch on a GPU [numpy]",
    )  # fmt: skip
    train.add_argument(
        "--dataset", choices=tuple(DATASETS), default="digits", help="what is learnt [digits]"
    )
    train.add_argument(
        "--data", type=path, metavar="DIR",
        help="where its files are [SPINTRIT_DATA, or a cache that downloads fill]",
    )  # fmt: skip
    train.add_argument(
        "--input-bits", type=int, default=0, metavar="N",
        help="width of a signed input, 2 for trits; 0 is the data set's own [0]",
    )  # fmt: skip
    train.add_argument(
        "--augment", choices=AUGMENTS, default="",
        help="random moves and mirroring of training images [the data set's own]",
    )  # fmt: skip
    _add_folder(train, "build/train")
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
    train.set_defaults(act=_train, **(training or {}))

    generate = commands.add_parser(
        "generate", help="write an array's Verilog", description="Write an array's Verilog."
    )
    add_out(generate, "the Verilog file", "FILE", required=True)
    generate.add_argument("--name", metavar="MODULE", help="top module [spintrit_array]")
    generate.add_argument(
        "--init", type=path, metavar="FILE",
        help="cells at power-up, a file that export wrote [all AP]",
    )  # fmt: skip
    add_fields(generate.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    generate.set_defaults(act=_generate)

    ip_cli.add(commands)
    fpga_cli.add(commands)
    synth_cli.add(commands)
    device_cli.add(commands)
    plot_cli.add(commands)
    eval_cli.add(commands)
    study_cli.add(commands)

    bench = commands.add_parser(
        "bench",
        help="measure speed: golden model, compiled RTL, cocotb",
        description="Measure, in one run and on one thread: golden training next to PyTorch's if "
        "that is installed, the RTL library next to a bare Verilator loop, and cocotb.",
    )
    bench.set_defaults(act=_bench)
    return top


def _kind(text: str) -> str:
    """What --array names."""
    if text in ARRAYS or (text.startswith(SERIAL) and text != SERIAL):
        return text
    known = ", ".join(map(repr, ARRAYS))
    message = f"invalid choice: {text!r} (choose from {known}, '{SERIAL}PORT')"
    raise argparse.ArgumentTypeError(message)


def _run(kind: str, config: TrainConfig, array: ArrayConfig, arguments: argparse.Namespace,
         overwrite: bool, **options: Any) -> int:  # fmt: skip
    from spintrit.report import table
    from spintrit.run import run

    summary = run(
        kind, options.pop("source"), config, array, arguments.out,
        resume=arguments.resume, overwrite=overwrite, **options,
    )  # fmt: skip
    table(summary, arguments.out)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from golden.checkpoint import write_atomically
    from spintrit.run import Source
    from synth.generate import TOP_NAME, array_verilog

    array = ArrayConfig()
    config, chip = TrainConfig(seed=arguments.seed, epochs=arguments.epochs), None
    if arguments.on_chip:
        config, chip = dataclasses.replace(config, **DEFAULTS), Chip()
    # Its own folder is the demo's to use again.
    overwrite = arguments.overwrite or arguments.out == Path(DEMO_FOLDER)
    status = _run("both", config, array, arguments, overwrite, source=Source(), chip=chip)
    if not chip:
        write_atomically(arguments.out / f"{TOP_NAME}.v", array_verilog(array).encode())
    return status


def _train(arguments: argparse.Namespace) -> int:
    from spintrit.run import Cells, Source

    arguments.network = spec.scaled(spec.load(arguments.network)[0], arguments.width)
    config, array = fields(TrainConfig, arguments), fields(ArrayConfig, arguments)
    cells = Cells(
        device=arguments.device,
        table=arguments.table,
        coder=fields(CoderConfig, arguments),
        nonideal=fields(NonIdealities, arguments),
    )
    if arguments.tiles is not None and not arguments.on_chip:
        raise ValueError(f"tiles = {arguments.tiles} needs --on-chip")
    tiles = 1 if arguments.tiles is None else arguments.tiles
    chip = Chip(tiles=tiles) if arguments.on_chip else None
    source = Source(
        dataset=arguments.dataset, root=arguments.data,
        input_bits=arguments.input_bits or (2 if arguments.on_chip else 0),
        augment=arguments.augment,
    )  # fmt: skip
    return _run(
        arguments.array, config, array, arguments, arguments.overwrite,
        source=source, cells=cells, compute=arguments.backend,
        chip=chip,
    )  # fmt: skip


def _training(argv: Sequence[str] | None) -> dict[str, Any]:
    """The settings of the network that the command line names."""
    early = _Parser(add_help=False)
    early.add_argument("--network", default=TrainConfig.network)
    early.add_argument("--on-chip", action="store_true")
    known_args = early.parse_known_args(argv)[0]
    source = known_args.network
    settings = spec.load(source)[1]
    known = {field.name for field in dataclasses.fields(TrainConfig)} - {"network", "seed"}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{source}: training.{name} = {value!r} is no training setting")
    return settings | (DEFAULTS if known_args.on_chip else {})


def _generate(arguments: argparse.Namespace) -> int:
    from golden.checkpoint import write_atomically
    from synth.generate import TOP_NAME, array_verilog

    config, init = fields(ArrayConfig, arguments), []
    writable(arguments.out, [arguments.init])
    if arguments.init:
        from spintrit.memory import read_mem

        init = read_mem(config, arguments.init)
    text = array_verilog(config, arguments.name or TOP_NAME, init)
    write_atomically(in_folder(arguments.out), text.encode())
    print(f"{arguments.out}: {text.count(chr(10))} lines of Verilog")
    return 0


def _bench(_: argparse.Namespace) -> int:
    # Thread counts are read when numpy is loaded, so in a process of its own.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.run(
        [sys.executable, "-m", "spintrit.bench"], env=os.environ | threads, check=False
    ).returncode


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line, with the defaults that suit its network and data set."""
    return parser(_training(argv)).parse_args(argv)


def call(argv: Sequence[str] | None = None) -> int:
    """Run a command, let errors pass; returns the exit status."""
    arguments = parse(argv)
    return arguments.act(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 1 for a difference, 2 for what cannot be done."""
    try:
        return call(argv)
    except Mismatch as mismatch:
        print(f"spintrit: RTL and golden model differ: {mismatch}", file=sys.stderr)
        return 1
    except ImportError as error:
        hint = "" if "pip install" in str(error) else "; try: pip install 'spintrit[demo]'"
        print(f"spintrit: error: {error}{hint}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"spintrit: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hints = dict.fromkeys(("train", "demo"), "; --resume goes on")
        hints["study"] = "; the same command goes on"
        named = (sys.argv[1:] if argv is None else argv) or [""]
        print(f"spintrit: stopped{hints.get(named[0], '')}", file=sys.stderr)
        return 130
