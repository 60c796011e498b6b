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

from golden.coder import CODERS, CoderConfig
from golden.config import DRAW_BITS, SYNAPSES, ArrayConfig
from golden.data import DATASETS
from golden.lockstep import Mismatch
from golden.nonideal import NonIdealities
from golden.optim import OPTIMISERS
from golden.train import ACTIVATIONS, RULES, TrainConfig
from spintrit import device_cli

ARRAYS = ("golden", "rtl", "both")
DEMO_FOLDER = "build/demo"
IDEAL = "ideal"  # in the place of a device: switching with probability tanh(m nu)

_ARRAY_HELP = {
    "rows": "inputs of an array, one lane of logic each",
    "cols": "outputs of an array, one memory column each",
    "synapse": "two junctions (-1, 0, +1) or one (-1, +1) a synapse",
    "columns_per_cycle": "converters that the columns share, a power of two",
    "code_bits": "width of a pulse code",
    "draw_bits": "width of a random draw",
    "error_bits": "width of a signed error in a backward read",
    "counters": "count pulses, reads and their outcomes; without, the RTL runs about twice as fast",
    "variant_bits": "width of a cell's variant; more than 0 as non-idealities ask for it",
}
_TRAIN_HELP = {
    "hidden": "sizes of the hidden layers",
    "epochs": "passes over the training data",
    "batch": "samples per weight update",
    "learning_rate": "of the first epoch",
    "final_learning_rate": "of the last epoch; exponential in between",
    "optimiser": "what turns gradients into weight changes",
    "rule": "which junctions a pulse drives: knowing the weight, or always both",
    "activation": "of the hidden layers",
    "threshold": "r of a ternary activation",
    "window": "half-width a of the derivative's window",
    "density": "share of non-zero weights at the start",
    "seed": "of all randomness",
}
_CODER_HELP = {
    "coder": "pulse length by the inverse of the switching curve, in proportion, or full pulses "
    "gated by row",
    "steepness": "m of the wanted probability tanh(m nu)",
    "step_s": "resolution of the pulse generator, seconds",
}
_NONIDEAL_HELP = {
    "resistance_spread": "device to device, standard deviation of ln R",
    "critical_current_spread": "device to device, of ln Ic0",
    "stability_spread": "device to device, of ln Delta",
    "amplitude_noise": "cycle to cycle, of the pulse voltage, relative",
    "length_noise_s": "cycle to cycle, of the pulse length, seconds",
    "stuck_p": "share of cells stuck at P",
    "stuck_ap": "share of cells stuck at AP",
    "temperature_k": "of operation, kelvin; 0 is the device's",
    "read_disturb": "reads can switch cells",
    "retention_s": "time between training and test, seconds",
    "retention_k": "its temperature, kelvin; 0 is that of operation",
    "adc_bits": "resolution of the column converters; 0 is exact",
    "adc_range": "where they saturate, in products; 0 is the number of rows",
    "adc_noise": "their noise, in products",
    "backward_adc_bits": "resolution of the row converters; 0 is exact",
    "backward_adc_range": "where they saturate, in largest products; 0 is the number of columns",
    "backward_adc_noise": "their noise, in largest products",
    "wire_ohm": "wire from cell to cell, ohm",
}
_CHOICES = {
    "coder": CODERS,
    "synapse": SYNAPSES,
    "draw_bits": DRAW_BITS,
    "optimiser": tuple(OPTIMISERS),
    "rule": RULES,
    "activation": ACTIVATIONS,
}


class _Parser(argparse.ArgumentParser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _add_fields(
    parser: argparse.ArgumentParser, title: str, cls: Any, help: dict[str, str]
) -> None:
    """An option for each field of a configuration, with its default."""
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(cls):
        default: Any = field.default
        if isinstance(default, bool):
            group.add_argument(
                f"--{field.name.replace('_', '-')}", default=default,
                help=f"{help[field.name]} [{'yes' if default else 'no'}]",
                action=argparse.BooleanOptionalAction,
            )  # fmt: skip
            continue
        options: dict[str, Any] = {"type": type(default), "default": default}
        if field.name == "hidden":
            options = {"type": int, "nargs": "*", "default": list(default)}
        if field.name in _CHOICES:
            options["choices"] = _CHOICES[field.name]
        else:
            options["metavar"] = "X" if isinstance(default, float) else "N"
        shown = " ".join(map(str, default)) if field.name == "hidden" else default
        group.add_argument(
            f"--{field.name.replace('_', '-')}", help=f"{help[field.name]} [{shown}]", **options
        )


def _fields(cls: Any, arguments: argparse.Namespace) -> Any:
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: getattr(arguments, name) for name in names})


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
    _add_fields(train, "training", TrainConfig, _TRAIN_HELP)
    _add_fields(train, "array", ArrayConfig, _ARRAY_HELP)
    cells = train.add_argument_group("cells")
    source = cells.add_mutually_exclusive_group()
    source.add_argument(
        "--device", default="default", metavar="NAME",
        help=f"a device by name, a TOML file, or {IDEAL!r}: switching by tanh itself [default]",
    )  # fmt: skip
    source.add_argument("--table", type=Path, metavar="FILE", help="a table file instead")
    _add_fields(train, "pulse coder", CoderConfig, _CODER_HELP)
    _add_fields(train, "non-idealities", NonIdealities, _NONIDEAL_HELP)
    train.set_defaults(act=_train)

    generate = commands.add_parser(
        "generate", help="write an array's Verilog", description="Write an array's Verilog."
    )
    generate.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the Verilog file"
    )
    generate.add_argument("--name", metavar="MODULE", help="top module [spintrit_array]")
    _add_fields(generate, "array", ArrayConfig, _ARRAY_HELP)
    generate.set_defaults(act=_generate)

    device_cli.add(commands)

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
    config, array = _fields(TrainConfig, arguments), _fields(ArrayConfig, arguments)
    cells = {
        "device": arguments.device,
        "table": arguments.table,
        "coder": _fields(CoderConfig, arguments),
        "nonideal": _fields(NonIdealities, arguments),
    }
    return _run(
        arguments.array, arguments.dataset, config, array, cells, arguments, arguments.overwrite
    )


def _generate(arguments: argparse.Namespace) -> int:
    from golden.checkpoint import write_atomically
    from synth.generate import TOP_NAME, array_verilog

    text = array_verilog(_fields(ArrayConfig, arguments), arguments.name or TOP_NAME)
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
