"""The command ``spintrit``."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from golden.coder import CoderConfig
from golden.config import ArrayConfig
from golden.data import DATASETS
from golden.lockstep import Mismatch
from golden.nonideal import NonIdealities
from golden.train import TrainConfig
from spintrit import device_cli, plot_cli
from spintrit.options import (
    ARRAY_HELP,
    CODER_HELP,
    IDEAL,
    NONIDEAL_HELP,
    TRAIN_HELP,
    add_fields,
    fields,
)

ARRAYS = ("golden", "rtl", "both")
DEMO_FOLDER = "build/demo"


class _Parser(argparse.ArgumentParser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _add_folder(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path(default), metavar="DIR", help=f"folder [{default}]"
    )
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on from DIR's last checkpoint")
    earlier.add_argument("--overwrite", action="store_true", help="drop the run that DIR holds")


def parser() -> argparse.ArgumentParser:
    """The command line's parser."""
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
        "learning.png and the Verilog in DIR.",
    )
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="of all randomness [0]")
    demo.add_argument(
        "--epochs", type=int, default=TrainConfig.epochs, metavar="N",
        help=f"passes over the training data [{TrainConfig.epochs}]",
    )  # fmt: skip
    _add_folder(demo, DEMO_FOLDER)
    demo.set_defaults(act=_demo)

    train = commands.add_parser(
        "train",
        help="train any dense network on any array",
        description="Train a dense network. A killed run goes on with --resume and ends with the "
        "same bits.",
    )
    train.add_argument(
        "--array", choices=ARRAYS, default="golden",
        help="what holds the synapses; both: RTL and golden in lock step [golden]",
    )  # fmt: skip
    train.add_argument(
        "--dataset", choices=tuple(DATASETS), default="digits", help="what is learnt [digits]"
    )
    _add_folder(train, "build/train")
    add_fields(train.add_argument_group("training"), TrainConfig, TRAIN_HELP)
    add_fields(train.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    cells = train.add_argument_group("cells")
    source = cells.add_mutually_exclusive_group()
    source.add_argument(
        "--device", default="default", metavar="NAME",
        help=f"a device by name, a TOML file, or {IDEAL!r}: switching by tanh itself [default]",
    )  # fmt: skip
    source.add_argument("--table", type=Path, metavar="FILE", help="a table file instead")
    add_fields(train.add_argument_group("pulse coder"), CoderConfig, CODER_HELP)
    add_fields(train.add_argument_group("non-idealities"), NonIdealities, NONIDEAL_HELP)
    train.set_defaults(act=_train)

    generate = commands.add_parser(
        "generate", help="write an array's Verilog", description="Write an array's Verilog."
    )
    generate.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the Verilog file"
    )
    generate.add_argument("--name", metavar="MODULE", help="top module [spintrit_array]")
    add_fields(generate.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    generate.set_defaults(act=_generate)

    device_cli.add(commands)
    plot_cli.add(commands)

    bench = commands.add_parser(
        "bench",
        help="measure speed: golden model, compiled RTL, cocotb",
        description="Measure, in one run and on one thread: golden training next to PyTorch's if "
        "that is installed, the RTL library next to a bare Verilator loop, and cocotb.",
    )
    bench.set_defaults(act=_bench)
    return top


def _run(kind: str, dataset: str, config: TrainConfig, array: ArrayConfig, cells: dict[str, Any],
         arguments: argparse.Namespace, overwrite: bool) -> int:  # fmt: skip
    from spintrit.report import table
    from spintrit.run import Cells, run

    summary = run(
        kind, dataset, config, array, arguments.out,
        cells=Cells(**cells), resume=arguments.resume, overwrite=overwrite,
    )  # fmt: skip
    table(summary, arguments.out)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from golden.checkpoint import write_atomically
    from synth.generate import TOP_NAME, array_verilog

    array = ArrayConfig()
    config = TrainConfig(seed=arguments.seed, epochs=arguments.epochs)
    # Its own folder is the demo's to use again.
    overwrite = arguments.overwrite or arguments.out == Path(DEMO_FOLDER)
    status = _run("both", "digits", config, array, {}, arguments, overwrite)
    write_atomically(arguments.out / f"{TOP_NAME}.v", array_verilog(array).encode())
    return status


def _train(arguments: argparse.Namespace) -> int:
    config, array = fields(TrainConfig, arguments), fields(ArrayConfig, arguments)
    cells = {
        "device": arguments.device,
        "table": arguments.table,
        "coder": fields(CoderConfig, arguments),
        "nonideal": fields(NonIdealities, arguments),
    }
    return _run(
        arguments.array, arguments.dataset, config, array, cells, arguments, arguments.overwrite
    )


def _generate(arguments: argparse.Namespace) -> int:
    from golden.checkpoint import write_atomically
    from synth.generate import TOP_NAME, array_verilog

    text = array_verilog(fields(ArrayConfig, arguments), arguments.name or TOP_NAME)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.output, text.encode())
    print(f"{arguments.output}: {text.count(chr(10))} lines of Verilog")
    return 0


def _bench(_: argparse.Namespace) -> int:
    # Thread counts are read when numpy is loaded, so in a process of its own.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.run(
        [sys.executable, "-m", "spintrit.bench"], env=os.environ | threads, check=False
    ).returncode


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 1 for a difference, 2 for what cannot be done."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.act(arguments)
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
        hint = "; --resume goes on" if hasattr(arguments, "resume") else ""
        print(f"spintrit: stopped{hint}", file=sys.stderr)
        return 130
