"""The command ``spintrit ip``."""

import argparse
import dataclasses
from typing import Any

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from spintrit.cli.options import ARRAY_HELP, add_fields, add_out, fields
from spintrit.outputs import no_run

BLOCK_HELP = {
    "tiles": "arrays that work in parallel, a power of two",
    "activation_words": "memory of inputs and activations, words of one trit per row",
    "error_words": "memory of errors, words of one byte per row",
    "positions": "memory of sums, samples times output pixels of the largest layer",
    "threshold_words": "memory of thresholds, words of one threshold per tile",
    "program_words": "memory of the program, words of 32 bits",
}
INPUTS_HELP = "shape of a sample, such as 64 or 28x28x1 [64]"
CLASSES_HELP = "number of classes [10]"


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    ip = commands.add_parser(
        "ip",
        help="write the accelerator's Verilog with its C header and FuseSoC core file",
        description="Write the accelerator's Verilog, its C header, its register list and a "
        "FuseSoC core file into DIR. --network computes the sizes of the memories; without it the "
        "options of the memories apply.",
    )
    add_out(ip, "folder of the files; created if missing", required=True)
    ip.add_argument("--name", metavar="MODULE", help="top module's name [spintrit_accelerator]")
    ip.add_argument(
        "--uart", type=int, default=0, metavar="N",
        help="serial line with N clock cycles per bit instead of AXI; 0: AXI [0]",
    )  # fmt: skip
    work = ip.add_argument_group("memories sized for a network")
    work.add_argument(
        "--network", metavar="TEXT", help="hidden layers such as 128FC, a name, or a TOML file"
    )
    work.add_argument("--inputs", default="64", metavar="SHAPE", help=INPUTS_HELP)
    work.add_argument("--classes", type=int, default=10, metavar="N", help=CLASSES_HELP)
    work.add_argument("--batch", type=int, default=200, metavar="N", help="samples per batch [200]")
    sizes = ip.add_argument_group("accelerator; all but --tiles without --network")
    add_fields(sizes, AcceleratorConfig, BLOCK_HELP, tuple(BLOCK_HELP))
    group, cols = ip.add_argument_group("array"), AcceleratorConfig().array.cols
    group.add_argument(
        "--cols", type=int, default=cols, metavar="N",
        help=f"{ARRAY_HELP['cols']} [{cols}]",
    )  # fmt: skip
    fixed = ("cols", "columns_per_cycle", "error_bits")
    names = [f.name for f in dataclasses.fields(ArrayConfig) if f.name not in fixed]
    add_fields(group, ArrayConfig, ARRAY_HELP, names)
    ip.set_defaults(act=_ip)


def _ip(arguments: argparse.Namespace) -> int:
    from golden.files import write_atomically
    from synth.accelerator import ACCELERATOR_NAME, ip_files
    from synth.boards import Workload

    no_run(arguments.out)
    array = fields(ArrayConfig, arguments)
    if arguments.network is None:
        config = AcceleratorConfig(
            array=array, **{name: getattr(arguments, name) for name in BLOCK_HELP}
        )
    else:
        work = Workload(
            network=arguments.network, inputs=shape_of(arguments.inputs),
            classes=arguments.classes, batch=arguments.batch,
        )  # fmt: skip
        config = work.accelerator(array, arguments.tiles)
    files = ip_files(config, arguments.name or ACCELERATOR_NAME, arguments.uart)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(arguments.out / name, text.encode())
    print(f"{arguments.out}: {', '.join(files)}")
    sizes = {"rows": config.array.rows, "cols": config.array.cols}
    sizes |= {f.name: getattr(config, f.name) for f in dataclasses.fields(config)[1:]}
    print(", ".join(f"{name} {size}" for name, size in sizes.items()))
    return 0


def shape_of(text: str) -> tuple[int, ...]:
    """A shape in the notation 64 or 28x28x1."""
    parts = text.split("x")
    if len(parts) not in (1, 3) or not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"inputs must be a shape such as 64 or 28x28x1, not {text!r}")
    return tuple(int(part) for part in parts)
