"""The command ``spintrit synth``."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from spintrit.cli.ip import BLOCK_HELP
from spintrit.cli.options import (
    ARRAY_HELP,
    add_fields,
    add_json,
    add_out,
    fields,
    path,
    silent,
    write_json,
)
from spintrit.outputs import no_run, writable
from synth.targets import FREQ_MHZ, TARGETS

OUT = "build/synth"
REPORT = "report.json"
TARGET = "ecp5-85k"
SEED = 1


def add(commands: Any) -> None:
    """Add the command to the top parser's."""
    synth = commands.add_parser(
        "synth",
        help="FPGA resources and highest clock of an array or the accelerator",
        description="Synthesise, place and route a block for an FPGA. Report its resources (by "
        "component and per lane), its highest clock and its critical path. The exit status is 1 if "
        "the block does not fit.",
    )
    synth.add_argument(
        "--target", choices=tuple(TARGETS), default=TARGET,
        help=f"FPGA; generic: four-input LUTs, no place and route [{TARGET}]",
    )  # fmt: skip
    synth.add_argument(
        "--block", choices=("array", "accelerator"), default="array",
        help="array: one array with its controller; accelerator: with an AXI port [array]",
    )  # fmt: skip
    synth.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help=f"seed of placement [{SEED}]"
    )
    synth.add_argument(
        "--clock", type=float, default=FREQ_MHZ, metavar="MHZ",
        help=f"target clock [{FREQ_MHZ:g}]",
    )  # fmt: skip
    synth.add_argument(
        "--place", default=True, action=argparse.BooleanOptionalAction,
        help="place and route; --no-place: resources only, no clock [yes]",
    )  # fmt: skip
    add_out(synth, f"folder of report.json and the tools' files [{OUT}/BLOCK-TARGET]")
    synth.add_argument(
        "--sweep", action="store_true",
        help="synthesise many arrays: vary rows, columns per cycle, draw bits and code bits, one "
        "at a time; finished points are not repeated",
    )  # fmt: skip
    synth.add_argument(
        "--results", type=path, default=Path(OUT), metavar="DIR",
        help=f"folder of the sweep's table and picture [{OUT}]",
    )  # fmt: skip
    add_json(synth, "the report (with --sweep: the points)")
    add_fields(synth.add_argument_group("array"), ArrayConfig, ARRAY_HELP)
    accelerator = synth.add_argument_group("accelerator, with --block accelerator")
    add_fields(accelerator, AcceleratorConfig, BLOCK_HELP, tuple(BLOCK_HELP))
    synth.set_defaults(act=_synth)


def _synth(arguments: argparse.Namespace) -> int:
    from golden import checks
    from golden.files import write_atomically
    from spintrit.report.synth_table import show
    from synth.flow import MOST_SEED
    from synth.report import report

    checks.integer("seed", arguments.seed, 1, MOST_SEED)
    checks.real("clock", arguments.clock, 1, 2000)
    array = fields(ArrayConfig, arguments)
    config: ArrayConfig | AcceleratorConfig = array
    if arguments.block == "accelerator":
        own = {name: getattr(arguments, name) for name in BLOCK_HELP}
        config = AcceleratorConfig(array=array, **own)
    _nothing_useless(arguments)
    if arguments.sweep:
        return _sweep(arguments, array)
    folder = arguments.out or Path(OUT) / f"{arguments.block}-{arguments.target}"
    no_run(folder)
    writable(arguments.json, [folder / REPORT])
    folder.mkdir(parents=True, exist_ok=True)
    result = report(
        config, arguments.target, folder,
        seed=arguments.seed, freq_mhz=arguments.clock, placed=arguments.place,
    )  # fmt: skip
    write_atomically(folder / REPORT, (json.dumps(result, indent=1) + "\n").encode())
    write_json(arguments, result)
    if not silent(arguments):
        show(result, folder)
    if result["misfit"]:
        print(f"spintrit: {result['misfit']}", file=sys.stderr)
        return 1
    return 0


def _nothing_useless(arguments: argparse.Namespace) -> None:
    """Refuse options without effect."""
    idle: dict[str, tuple[Any, str]] = {}  # by option: its default, and what it needs
    if arguments.block != "accelerator":
        own = [field for field in dataclasses.fields(AcceleratorConfig) if field.name in BLOCK_HELP]
        idle |= {field.name: (field.default, "--block accelerator") for field in own}
    if not arguments.sweep:
        idle["results"] = Path(OUT), "--sweep"
    if not arguments.place or not TARGETS[arguments.target].placer:
        idle |= {"seed": (SEED, "place and route"), "clock": (FREQ_MHZ, "place and route")}
    for name, (default, needed) in idle.items():
        value = getattr(arguments, name)
        if value != default:
            raise ValueError(f"{name} = {value} needs {needed}")


def _sweep(arguments: argparse.Namespace, array: ArrayConfig) -> int:
    from spintrit.studies import synth_sweep

    if arguments.block != "array":
        raise ValueError(f"block must be array with --sweep, not {arguments.block!r}")
    if arguments.out:
        raise ValueError(f"out = {str(arguments.out)!r} is for one block; see --results")
    no_run(arguments.results)
    writable(arguments.json, [arguments.results / synth_sweep.RESULTS])
    out, found = sys.stderr if silent(arguments) else sys.stdout, []
    synth_sweep.recorded(arguments.results)  # an error in this file shows before hours of work
    for point in synth_sweep.points(array):
        result = synth_sweep.run(
            point, arguments.target, arguments.results,
            seed=arguments.seed, freq_mhz=arguments.clock, placed=arguments.place,
        )  # fmt: skip
        print(synth_sweep.line(result), file=out, flush=True)
        found.append(result)
        synth_sweep.record(result, arguments.results)
    synth_sweep.publish(arguments.results)
    files = synth_sweep.RESULTS, synth_sweep.PICTURE, synth_sweep.PAGE
    write_json(arguments, found)
    print(f"{arguments.results}: {', '.join(files)}", file=out)
    return 0
