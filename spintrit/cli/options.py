"""Options of the command line: fields of a configuration, with one help text for each."""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from golden.backend import BACKENDS
from golden.config import DRAW_BITS, SYNAPSES
from golden.files import write_atomically
from golden.network.layers import SPREADS
from golden.network.optim import OPTIMISERS
from golden.pulse.design import CODERS
from golden.train.config import ACTIVATIONS, RULES
from spintrit.outputs import PICTURES, STANDARD_OUTPUT, in_folder

ARRAY_HELP = {
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
TRAIN_HELP = {
    "network": "a network by name, a TOML file, or layers such as 32C5-MP2-512FC",
    "epochs": "passes over the training data",
    "batch": "samples per weight update",
    "learning_rate": "of the first epoch",
    "final_learning_rate": "of the last epoch; exponential in between",
    "optimiser": "what turns gradients into weight changes",
    "momentum": "decay of the mean of gradients, of adam and momentum",
    "dead_zone": "the gradient optimiser lets smaller ones than X times their rms be",
    "rule": "which junctions a pulse drives: knowing the weight, or always both",
    "activation": "of the hidden layers",
    "threshold": "r of a ternary activation; a binary one has none",
    "window": "half-width a of the derivative's window",
    "batch_norm": "divides by the root of the variance or by the mean absolute deviation",
    "density": "share of non-zero weights at the start, of ternary synapses",
    "seed": "of all randomness",
}
CODER_HELP = {
    "coder": "pulse length by the inverse of the switching curve, in proportion, or full pulses "
    "gated by row",
    "steepness": "m of the wanted probability tanh(m nu)",
    "step_s": "resolution of the pulse generator, seconds",
}
NONIDEAL_HELP = {
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
EVAL_HELP = {
    **{name: NONIDEAL_HELP[name] for name in ("adc_bits", "adc_range", "adc_noise", "wire_ohm")},
    "resistance_spread": "device to device, standard deviation of ln R; changes analog reads alone",
    "stability_spread": "device to device, of ln Delta; changes retention alone",
    "temperature_k": "kelvin, of reads and of retention; 0 is the device's",
    "retention_s": "time between training and test in all, seconds; what the run itself let pass "
    "has passed already",
    "retention_k": "temperature of the rest of that time, kelvin; 0 is that of operation",
    "reads": "reads of every cell before the test that may switch it, half driving either way",
    "stuck_p": "share of cells that get stuck at P after training, beside those of the run",
    "stuck_ap": "share of cells that get stuck at AP after training",
}
CHOICES = {
    "coder": CODERS,
    "synapse": SYNAPSES,
    "draw_bits": DRAW_BITS,
    "optimiser": tuple(OPTIMISERS),
    "rule": RULES,
    "activation": ACTIVATIONS,
    "batch_norm": SPREADS,
}


def add_fields(
    group: Any, cls: Any, help: dict[str, str], only: Collection[str] | None = None, own: str = ""
) -> None:
    """An option for each field of a configuration, or ``only`` some, with its default; ``own`` says
    in its place what None stands for."""
    for field in dataclasses.fields(cls):
        if only is not None and field.name not in only:
            continue
        name = f"--{field.name.replace('_', '-')}"
        default: Any = field.default
        if isinstance(default, bool):
            group.add_argument(
                name, default=default, action=argparse.BooleanOptionalAction,
                help=f"{help[field.name]} [{'yes' if default else 'no'}]",
            )  # fmt: skip
            continue
        options: dict[str, Any] = {"type": type(default), "default": None if own else default}
        if field.name in CHOICES:
            options["choices"] = CHOICES[field.name]
        else:
            options["metavar"] = {float: "X", int: "N", str: "TEXT"}[type(default)]
        group.add_argument(name, help=f"{help[field.name]} [{own or default}]", **options)


def fields(cls: Any, arguments: argparse.Namespace) -> Any:
    """The configuration that was given; fields without an option have their default."""
    names = [field.name for field in dataclasses.fields(cls) if hasattr(arguments, field.name)]
    return cls(**{name: getattr(arguments, name) for name in names})


def path(text: str) -> Path:
    """The type of options that name a file or a folder."""
    if not text:
        raise argparse.ArgumentTypeError("must name a file or a folder, not ''")
    return Path(text)


def add_out(parser: Any, help: str, metavar: str = "DIR", **options: Any) -> None:
    """``-o/--out``: a command's main product, a folder or a file."""
    parser.add_argument("-o", "--out", type=path, metavar=metavar, help=help, **options)


def add_picture(parser: Any, default: str = "", *, short: bool, required: bool = False) -> None:
    """``--picture FILE``; ``short`` adds ``-o``, where the picture is the main product."""
    parser.add_argument(
        *["-o"] * short, "--picture", type=path, required=required, metavar="FILE",
        help=f"draw this {', '.join(PICTURES[:-1])} or {PICTURES[-1]} file{default}",
    )  # fmt: skip


def add_data(parser: Any) -> None:
    """``--data DIR``."""
    parser.add_argument(
        "--data", type=path, metavar="DIR",
        help="where the data set's files are [SPINTRIT_DATA, or a cache that downloads fill]",
    )  # fmt: skip


def add_backend(parser: Any) -> None:
    """``--backend``, of one training or evaluation."""
    parser.add_argument(
        "--backend", choices=BACKENDS, default="numpy",
        help="what computes with --array fast: numpy, PyTorch, PyTorch on a GPU [numpy]",
    )  # fmt: skip


def add_json(parser: Any, what: str = "the figures") -> None:
    """``--json [FILE]``, for ``write_json``."""
    parser.add_argument(
        "--json", nargs="?", type=path, const=STANDARD_OUTPUT, metavar="FILE",
        help=f"write {what} as JSON; without FILE, or as -, to standard output instead of text",
    )  # fmt: skip


def silent(arguments: argparse.Namespace) -> bool:
    """Whether standard output is for JSON alone."""
    return bool(arguments.json == STANDARD_OUTPUT)


def aside(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[Any]:
    """Within this, text for standard output goes to standard error where ``silent`` wants it."""
    return contextlib.redirect_stdout(sys.stderr) if silent(arguments) else contextlib.nullcontext()


def write_json(arguments: argparse.Namespace, value: Any) -> None:
    """Write where ``--json`` says, if it is given; ``value`` is JSON text or is made to be."""
    if arguments.json is None:
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=2) + "\n"
    if silent(arguments):
        sys.stdout.write(text)
    else:
        write_atomically(in_folder(arguments.json), text.encode())
