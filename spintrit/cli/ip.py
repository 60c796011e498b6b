"""The command ``spintrit ip``."""

import argparse
import dataclasses
from typing import Any

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from spintrit.cli.options import ARRAY_HELP, add_fields, add_out, fields
from spintrit.outputs import no_run

BLOCK_HELP = {
    "tiles": "arrays that work side by side, a power of two",
    "activation_words": "memory of inputs and activations, words of a trit a row",
    "error_words": "memory of errors, words of a byte a row",
    "positions": "samples times output pixels of a layer",
    "threshold_words": "column groups of all layers",
    "program_words": "of 32 bits",
}


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    ip = commands.add_parser(
        "ip",
        help="write the accelerator as an IP block",
        description="Write into DIR the accelerator's Verilog, its C header, its registers and a "
        "FuseSoC core file. With --network the memories are as large as that network and batch "
        "need; otherwise as the options say.",
    )
    add_out(ip, "folder, made if missing", required=True)
    ip.add_argument("--name", metavar="MODULE", help="top module [spintrit_accelerator]")
    ip.add_argument(
        "--uart", type=int, default=0, metavar="N",
        help="a serial line with N clock cycles a bit instead of AXI",
    )  # fmt: skip
    ip.add_argument("--network", metavar="TEXT", help="size the memories for this network, with")
    ip.add_argument("--inputs", default="64", metavar="SHAPE", help="inputs, as 64 or 28x28x1 [64]")
    ip.add_argument("--classes", type=int, default=10, metavar="N", help="outputs [10]")
    ip.add_argument("--batch", type=int, default=200, metavar="N", help="samples [200]")
    add_fields(
        ip.add_argument_group("accelerator"), AcceleratorConfig, BLOCK_HELP, tuple(BLOCK_HELP)
    )
    group, cols = ip.add_argument_group("array"), AcceleratorConfig().array.cols
    group.add_argument(
        "--cols", type=int, default=cols, metavar="N",
        help=f"outputs of an array, one memory column each [{cols}]",
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
