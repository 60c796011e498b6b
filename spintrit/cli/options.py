"""Options of the command line: fields of a configuration, with one help text for each."""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from golden.backend import AUTO, BACKENDS, PRODUCTS
from golden.config import DRAW_BITS, SYNAPSES
from golden.files import write_atomically
from golden.network.layers import SPREADS
from golden.network.optim import OPTIMISERS
from golden.pulse.design import CODERS
from golden.train.config import ACTIVATIONS, RULES
from spintrit.outputs import PICTURES, STANDARD_OUTPUT, in_folder

ARRAY_HELP = {
    "rows": "inputs of an array; each has a lane of logic",
    "cols": "outputs of an array; each is a column of the cell memory",
    "synapse": "ternary: two junctions, weights -1, 0, +1; binary: one junction, weights -1, +1",
    "columns_per_cycle": "columns read per clock cycle, a power of two; each has a converter",
    "code_bits": "width of a pulse code, bits",
    "draw_bits": "width of a random number that is compared with a switching probability, bits",
    "error_bits": "width of a signed error in a backward read, bits",
    "variant_bits": "width of a cell's variant index, bits; non-idealities raise it as needed",
    "counters": "count pulses, reads and switching events; --no-counters: RTL simulation about "
    "twice as fast, no energy figures",
}
NETWORK_HELP = {
    "network": "hidden layers such as 32C5-MP2-512FC, a network by name, or a TOML file",
    "activation": "activation of the hidden layers",
    "threshold": "ternary activation only: inputs between -X and X give 0",
    "window": "half-width of the window around each activation step where gradients pass",
    "batch_norm": "batch norm divides by: variance: the standard deviation; deviation: the mean "
    "absolute deviation times sqrt(pi / 2)",
    "density": "ternary synapses only: initial share of non-zero weights",
}
LEARNING_HELP = {
    "epochs": "passes over the training data",
    "batch": "samples per weight update",
    "learning_rate": "learning rate of the first epoch",
    "final_learning_rate": "learning rate of the last epoch; exponential decay in between",
    "optimiser": "adam, momentum: running means of gradients on the host; gradient: no memory "
    "beside the cells",
    "momentum": "adam and momentum only: decay of the running mean of gradients",
    "dead_zone": "gradient optimiser only: ignore gradients smaller than X times their rms",
    "rule": "exact: pulses depend on the stored weight; blind: both junctions of a synapse get the "
    "same pulse",
    "seed": "seed of all random numbers",
}
TRAIN_HELP = NETWORK_HELP | LEARNING_HELP
CODER_HELP = {
    "coder": "inverse: pulse length from the inverse switching curve; linear: length proportional "
    "to the weight change; gated: full pulses to random rows",
    "steepness": "m in the target switching probability tanh(m nu); nu: weight change in steps",
    "step_s": "time resolution of the pulse generator, seconds",
}
JUNCTION_HELP = {
    "resistance_spread": "device-to-device spread of resistance, standard deviation of ln R",
    "critical_current_spread": "device-to-device spread of critical current, standard deviation of "
    "ln Ic0",
    "stability_spread": "device-to-device spread of thermal stability, standard deviation of ln "
    "Delta",
    "amplitude_noise": "cycle-to-cycle noise of the pulse voltage, relative standard deviation",
    "length_noise_s": "cycle-to-cycle noise of the pulse length, standard deviation, seconds",
    "stuck_p": "share of cells stuck in state P, 0 to 1",
    "stuck_ap": "share of cells stuck in state AP, 0 to 1",
    "temperature_k": "operating temperature, kelvin; 0: the device's",
    "read_disturb": "reads can switch cells",
    "retention_s": "storage time between training and test, seconds",
    "retention_k": "storage temperature, kelvin; 0: the operating temperature",
}
READ_HELP = {
    "adc_bits": "resolution of the column converters, bits; 0: exact sums",
    "adc_range": "sum at which the column converters saturate, in products; 0: the number of rows",
    "adc_noise": "noise of the column converters, standard deviation, in products",
    "backward_adc_bits": "resolution of the row converters, bits; 0: exact sums",
    "backward_adc_range": "sum at which the row converters saturate, in products with the largest "
    "error; 0: the number of columns",
    "backward_adc_noise": "noise of the row converters, standard deviation, in products with the "
    "largest error",
    "wire_ohm": "wire resistance from one cell to the next, ohm",
}
NONIDEAL_HELP = JUNCTION_HELP | READ_HELP
EVAL_HELP = {
    **{name: NONIDEAL_HELP[name] for name in ("adc_bits", "adc_range", "adc_noise", "wire_ohm")},
    "resistance_spread": f"{NONIDEAL_HELP['resistance_spread']}; changes analog reads only",
    "stability_spread": f"{NONIDEAL_HELP['stability_spread']}; changes retention only",
    "temperature_k": "temperature of reads and of retention, kelvin; 0: the device's",
    "retention_s": "total storage time between training and test, seconds; includes the run's own",
    "retention_k": "temperature of the storage time beyond the run's own, kelvin; 0: the operating "
    "temperature",
    "reads": "read disturb: reads of each cell before the test, half in each direction; the test's "
    "own reads disturb nothing",
    "stuck_p": "share of cells that get stuck in state P after training, in addition to the run's",
    "stuck_ap": "share of cells that get stuck in state AP after training, in addition to the "
    "run's",
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
    """Add an option for each field of a configuration.

    Parameters
    ----------
    group : argparse._ArgumentGroup or argparse.ArgumentParser
    cls : type
        The configuration, a dataclass.
    help : dict of str to str
        Help text of each field.
    only : collection of str, optional
        Names of the fields; by default all.
    own : str
        What the default None means. Without it the field's own default is the option's default.
    """
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
        shown = f"{default:g}" if isinstance(default, float) else default
        group.add_argument(name, help=f"{help[field.name]} [{own or shown}]", **options)


def fields(cls: Any, arguments: argparse.Namespace) -> Any:
    """The configuration from a command's options; fields without an option keep their default."""
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
        help=f"picture to draw: {', '.join(PICTURES[:-1])} or {PICTURES[-1]}{default}",
    )  # fmt: skip


def add_data(parser: Any) -> None:
    """``--data DIR``."""
    parser.add_argument(
        "--data", type=path, metavar="DIR",
        help="folder of the data set's files [$SPINTRIT_DATA, or a cache with automatic downloads]",
    )  # fmt: skip


def add_backend(parser: Any) -> None:
    """``--backend`` and ``--products``, for one training or evaluation."""
    parser.add_argument(
        "--backend", choices=[*BACKENDS, AUTO], default="numpy",
        help="with --array fast: numpy; torch: PyTorch on the CPU; cuda: PyTorch on a GPU; auto: "
        "torch where it is installed [numpy]",
    )  # fmt: skip
    parser.add_argument(
        "--products", choices=PRODUCTS, default=AUTO,
        help="with torch or cuda: multiply in int8 or float32; auto: measure which is faster. The "
        "results are the same [auto]",
    )  # fmt: skip


def add_json(parser: Any, what: str = "the figures") -> None:
    """``--json [FILE]``, for ``write_json``."""
    parser.add_argument(
        "--json", nargs="?", type=path, const=STANDARD_OUTPUT, metavar="FILE",
        help=f"write {what} as JSON to FILE; without FILE or with -, to standard output instead of "
        "the text",
    )  # fmt: skip


def silent(arguments: argparse.Namespace) -> bool:
    """Whether standard output is for JSON alone."""
    return bool(arguments.json == STANDARD_OUTPUT)


def aside(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[Any]:
    """A context that sends text from standard output to standard error if ``silent``."""
    return contextlib.redirect_stdout(sys.stderr) if silent(arguments) else contextlib.nullcontext()


def write_json(arguments: argparse.Namespace, value: Any) -> None:
    """Write ``value``, JSON text or an object, to what ``--json`` names, if it is given."""
    if arguments.json is None:
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=2) + "\n"
    if silent(arguments):
        sys.stdout.write(text)
    else:
        write_atomically(in_folder(arguments.json), text.encode())
