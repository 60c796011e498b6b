"""The command ``spintrit fpga``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from spintrit.cli.ip import CLASSES_HELP, INPUTS_HELP, shape_of
from spintrit.cli.options import add_json, add_out, silent, write_json
from spintrit.outputs import no_run, writable

_CHIPS = "ulx3s-85f, icebreaker"


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    fpga = commands.add_parser(
        "fpga",
        help="make the bitstream of an FPGA board",
        description="Synthesise, place and route a design for a board. Write into DIR: the "
        "bitstream, the pins, timing.txt and timing.json (clocks, resources, worst path) and "
        "summary.json (settings, tools, commands for programming and training). The exit status "
        "is 1 if the design does not fit or is too slow; other settings or another --seed may "
        "help.",
    )
    what = fpga.add_mutually_exclusive_group(required=True)
    what.add_argument("--board", metavar="NAME", help=f"board: {_CHIPS}")
    what.add_argument("--list", action="store_true", help="list the boards; build nothing")
    add_out(fpga, "folder of the files [build/fpga/NAME]")
    fpga.add_argument("--seed", type=int, default=1, metavar="N", help="seed of placement [1]")
    add_json(fpga, "summary.json (with --list: the boards)")
    own = fpga.add_argument_group("design")
    own.add_argument("--rows", type=int, metavar="N", help="rows of the array [the board's]")
    own.add_argument("--clock", type=float, metavar="MHZ", help="clock of the design [the board's]")
    own.add_argument(
        "--baud", type=int, metavar="N", help="bits per second on the serial line [the board's]"
    )
    work = fpga.add_argument_group("memories sized for a network")
    work.add_argument(
        "--network", default="128FC", metavar="TEXT",
        help="hidden layers such as 128FC, a name, or a TOML file [128FC]",
    )  # fmt: skip
    work.add_argument("--inputs", default="64", metavar="SHAPE", help=INPUTS_HELP)
    work.add_argument("--classes", type=int, default=10, metavar="N", help=CLASSES_HELP)
    work.add_argument(
        "--batch", type=int, metavar="N",
        help="boards with an accelerator only: samples per batch [128]",
    )  # fmt: skip
    fpga.set_defaults(act=_fpga)


def _fpga(arguments: argparse.Namespace) -> int:
    from golden import checks, jsonfile
    from synth.bitstream import REPORTS, TimingError, build
    from synth.boards import BOARDS, Workload, board
    from synth.flow import MOST_SEED, DoesNotFitError

    if arguments.list:
        writable(arguments.json)
        boards = {
            found.name: {
                "title": found.title, "accelerator": found.accelerator,
                "rows": found.array.rows, "hertz": found.hertz, "baud": found.baud,
            }
            for found in BOARDS.values()
        }  # fmt: skip
        write_json(arguments, boards)
        for found in [] if silent(arguments) else BOARDS.values():
            what = "accelerator" if found.accelerator else "array"
            print(
                f"{found.name}: {found.title}; {what} with {found.array.rows} rows at "
                f"{found.hertz / 1e6:g} MHz, {found.baud} baud"
            )
        return 0
    checks.integer("seed", arguments.seed, 1, MOST_SEED)
    work = Workload(
        network=arguments.network, inputs=shape_of(arguments.inputs),
        classes=arguments.classes,
        batch=Workload.batch if arguments.batch is None else arguments.batch,
    )  # fmt: skip
    hertz = None if arguments.clock is None else _hertz(arguments.clock)
    chosen = board(
        arguments.board, rows=arguments.rows, baud=arguments.baud, hertz=hertz, work=work
    )
    if arguments.batch is not None and not chosen.accelerator:
        raise ValueError(
            f"batch = {arguments.batch} is for a board with an accelerator: {chosen.name} has an "
            "array, which takes any batch"
        )
    folder = arguments.out or Path("build/fpga") / chosen.name
    no_run(folder)
    writable(arguments.json, [folder / name for name in REPORTS])
    out = sys.stderr if silent(arguments) else sys.stdout
    try:
        built = build(
            chosen, folder, seed=arguments.seed, say=lambda stage: print(f"{stage} ...", file=out)
        )
    except (DoesNotFitError, TimingError) as error:
        print(f"spintrit: {error}", file=sys.stderr)
        return 1
    write_json(arguments, jsonfile.read(folder / REPORTS[-1]))
    for clock, (achieved, wanted) in built.clocks.items():
        print(f"{clock}: {achieved:g} MHz, {wanted:g} wanted", file=out)
    print(f"{built.bitstream}; then: {chosen.program.format(file=built.bitstream)}", file=out)
    print(f"spintrit train {chosen.training()}", file=out)
    return 0


def _hertz(mhz: float) -> int:
    """The clock in hertz; raises ValueError unless it is in 1 to 400 MHz."""
    if not 1 <= mhz <= 400:
        raise ValueError(f"clock must be between 1 and 400 MHz, not {mhz:g}")
    return round(mhz * 1e6)
