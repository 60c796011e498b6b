"""The commands ``spintrit device`` and ``spintrit energy``."""

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from golden import checks
from golden.config import ArrayConfig
from golden.device import check as devicecheck
from golden.device import curve, junction
from golden.pulse.design import CoderConfig
from spintrit.cli.options import (
    ARRAY_HELP,
    CODER_HELP,
    add_fields,
    add_json,
    add_out,
    add_picture,
    fields,
    path,
    silent,
    write_json,
)
from spintrit.fitting.repeats import TOLERANCE
from spintrit.outputs import PICTURES, in_folder, writable

PLOT_TRIALS = 1024
_NAME = "a device by name (spintrit device list), or a .toml file"


def add(commands: Any) -> None:
    """Add both commands to the top parser's."""
    group = commands.add_parser(
        "device",
        help="junctions: parameters, switching, tables, fits to measurements",
        description="Junctions: parameters, switching probability, tables for the array, fits to "
        "measurements, checks against simulation.",
    ).add_subparsers(metavar="COMMAND", required=True)
    _add_list_and_show(group)
    _add_plot(group)
    _add_table(group)
    _add_fit(group)
    _add_check(group)
    _add_energy(commands)


def _add_list_and_show(group: Any) -> None:
    text = "the devices that come with spintrit"
    listing = group.add_parser("list", help=text, description=f"List {text}.")
    add_json(listing, "their parameters and figures, in SI units, null for infinity,")
    listing.set_defaults(act=_list)

    show = group.add_parser(
        "show",
        help="parameters of a device, and what follows from them",
        description="Show the parameters of a device with their units, and what follows from them.",
    )
    show.add_argument("name", metavar="NAME", help=_NAME)
    add_json(show, "parameters and figures, in SI units, null for infinity,")
    show.set_defaults(act=_show)


def _add_plot(group: Any) -> None:
    plot = group.add_parser(
        "plot",
        help="picture of switching probability and pulse coders",
        description="Draw a device's switching probability against pulse length and voltage (the "
        "curve, the closed formula, a simulation) and what the pulse coders make of it.",
    )
    plot.add_argument("name", metavar="NAME", help=_NAME)
    add_picture(plot, short=True, required=True)
    plot.add_argument(
        "--trials", type=int, default=PLOT_TRIALS, metavar="N",
        help=f"simulated trials a point [{PLOT_TRIALS}]",
    )  # fmt: skip
    plot.add_argument("--seed", type=int, default=1, metavar="N", help="of the simulation [1]")
    plot.set_defaults(act=_plot)


def _add_table(group: Any) -> None:
    table = group.add_parser(
        "table",
        help="make the probability table of a device",
        description="Make the probability table of a device: a pulse length and a switching "
        "probability for each code and direction.",
    )
    table.add_argument("name", metavar="NAME", help=_NAME)
    add_out(table, "the table file", "FILE")
    table.add_argument(
        "--model", choices=curve.MODELS, default=curve.MODELS[0],
        help=f"curve held to simulation, or the closed formula alone [{curve.MODELS[0]}]",
    )  # fmt: skip
    _add_coder(table, "the device's")
    add_json(table, "the table file")
    table.set_defaults(act=_table)


def _add_fit(group: Any) -> None:
    fit = group.add_parser(
        "fit",
        help="fit measured switching, and make its table",
        description="Fit the switching probabilities in a CSV file (columns direction, voltage_v, "
        "pulse_s, and switched and trials, or probability; with other units as in 'pulse (ns)'), "
        "and make a table from the fit.",
    )
    fit.add_argument("file", type=path, metavar="FILE.csv", help="the measurement")
    add_out(fit, "make this table file", "TABLE.json")
    add_picture(fit, short=False)
    add_json(fit, "the fit's summary")
    fit.add_argument(
        "--device", metavar="NAME",
        help=f"keep a device in the table file, for reads, ageing and energy: {_NAME}",
    )  # fmt: skip
    for what in ("voltage", "length"):
        fit.add_argument(
            f"--{what}-tolerance", type=float, default=TOLERANCE, metavar="X",
            help=f"{what}s that differ by less than this share are one [{TOLERANCE}]",
        )  # fmt: skip
    _add_coder(fit, "the highest/longest measured in both directions", "table, with -o")
    fit.set_defaults(act=_fit)


def _add_check(group: Any) -> None:
    check = group.add_parser(
        "check",
        help="hold a device's curve and its simulation to account",
        description="Compare the curve that tables are made from with a fresh simulation, at the "
        "write voltage and over the plane of voltage and length. Compare the closed formula, too, "
        "and the simulation at rest with the Boltzmann distribution and with itself at half the "
        "time step. Exit status 1 if a figure is out of its bound. Takes about half a minute for "
        "the default device, longer for longer pulses.",
    )
    check.add_argument("name", metavar="NAME", help=_NAME)
    check.add_argument(
        "--trials", type=int, default=devicecheck.TRIALS, metavar="N",
        help="simulated trials a direction; a quarter of that at other voltages "
        f"[{devicecheck.TRIALS}]",
    )  # fmt: skip
    check.add_argument("--seed", type=int, default=1, metavar="N", help="of the simulation [1]")
    add_json(check)
    check.set_defaults(act=_check)


def _add_energy(commands: Any) -> None:
    energy = commands.add_parser(
        "energy",
        help="energy, efficiency and speed of a finished run",
        description="Tell what the training in RUNFOLDER took: energy by phase and part, "
        "operations a second and watt beside the published figures, time by converter sharing.",
    )
    energy.add_argument("folder", type=path, metavar="RUNFOLDER", help="of a finished run")
    energy.add_argument(
        "--costs", type=path, metavar="FILE.toml", help="costs that replace those in golden/costs"
    )
    energy.add_argument(
        "--adc-bits",
        type=int,
        metavar="N",
        help="of a column converter [the run's, or enough for exact sums]",
    )
    add_json(energy, "all figures")
    add_picture(energy, short=True)
    energy.set_defaults(act=_energy)


def _add_coder(parser: argparse.ArgumentParser, pulse: str, title: str = "table") -> None:
    group = parser.add_argument_group(title)
    add_fields(group, CoderConfig, CODER_HELP)
    group.add_argument("--voltage", type=float, metavar="V", help=f"of the pulses [{pulse}]")
    group.add_argument(
        "--full-s", type=float, metavar="T", help=f"length of the full pulse, seconds [{pulse}]"
    )
    add_fields(group, ArrayConfig, ARRAY_HELP, only=("code_bits", "draw_bits"))


def _coding(arguments: argparse.Namespace) -> tuple[CoderConfig, ArrayConfig]:
    return fields(CoderConfig, arguments), fields(ArrayConfig, arguments)


def _own(name: str) -> list[str]:
    """The file that a device's name is, if it is one."""
    return [name] if name.endswith(".toml") else []


def _list(arguments: argparse.Namespace) -> int:
    from spintrit.report import device as device_report
    from spintrit.report.console import Console

    writable(arguments.json)
    found = [junction.load(name) for name in junction.names()]
    write_json(arguments, {each.name: device_report.as_json(each) for each in found})
    if not silent(arguments):
        device_report.show_list(found, Console())
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from spintrit.report import device as device_report
    from spintrit.report.console import Console

    device = junction.load(arguments.name)
    writable(arguments.json, _own(arguments.name))
    write_json(arguments, device_report.as_json(device))
    if not silent(arguments):
        device_report.show(device, Console())
    return 0


def _status(text: str) -> Any:
    """A line on a terminal while something takes long, on standard error as --json uses output."""
    from spintrit.report.console import Console

    return Console(stderr=True).status(text)


def _simulating(device: junction.Device) -> Callable[[], AbstractContextManager[Any]]:
    from spintrit.report.console import Console, simulating

    return simulating(device.name, Console(stderr=True))


def _plot(arguments: argparse.Namespace) -> int:
    from spintrit.report import device_picture

    device = junction.load(arguments.name)
    trials = checks.integer("trials", arguments.trials, 1)
    seed = checks.integer("seed", arguments.seed, 0)
    writable(arguments.picture, _own(arguments.name), PICTURES)
    designed = curve.load(device, simulating=_simulating(device))
    with _status(f"{device.name}: simulating {trials} trials a point ..."):
        device_picture.draw(designed, in_folder(arguments.picture), trials=trials, seed=seed)
    print(arguments.picture)
    return 0


def _table(arguments: argparse.Namespace) -> int:
    from golden.pulse import tablefile
    from spintrit import tables
    from spintrit.report import device as device_report
    from spintrit.report.console import Console

    device = junction.load(arguments.name)
    coder, array = _coding(arguments)
    writable(arguments.out, _own(arguments.name))
    writable(arguments.json, [*_own(arguments.name), arguments.out])
    file = tables.of_device(
        device, coder, array,
        model=arguments.model, voltage_v=arguments.voltage, full_s=arguments.full_s,
        simulating=_simulating(device),
    )  # fmt: skip
    if arguments.out:
        tablefile.save(file, in_folder(arguments.out))
    write_json(arguments, tablefile.dumps(file))
    if not silent(arguments):
        device_report.show_table(file, Console())
    return 0


def _fit(arguments: argparse.Namespace) -> int:
    from golden.pulse import tablefile
    from spintrit import tables
    from spintrit.fitting import fit, measured
    from spintrit.report import device as device_report
    from spintrit.report import device_picture
    from spintrit.report.console import Console

    coder, array = _coding(arguments)
    inputs = [arguments.file, *(_own(arguments.device) if arguments.device else [])]
    writable(arguments.out, inputs)
    writable(arguments.picture, [*inputs, arguments.out], PICTURES)
    writable(arguments.json, [*inputs, arguments.out, arguments.picture])
    device = junction.load(arguments.device) if arguments.device else None
    if device and not arguments.out:
        raise ValueError(f"device = {arguments.device!r} goes into a table file: give -o, too")
    points = measured.read_csv(
        arguments.file,
        voltage_tolerance=arguments.voltage_tolerance, length_tolerance=arguments.length_tolerance,
    )  # fmt: skip
    found = fit.fit(points)
    summary = found.summary()
    file, warning = None, ""
    if arguments.out:
        file, warning = tables.of_fit(
            found, coder, array,
            voltage_v=arguments.voltage, full_s=arguments.full_s, device=device,
        )  # fmt: skip
        tablefile.save(file, in_folder(arguments.out))
    if arguments.picture:
        device_picture.draw_fit(points, found, in_folder(arguments.picture))
    write_json(arguments, summary)
    if not silent(arguments):
        device_report.show_fit(summary, Console())
        if file:
            device_report.show_table(file, Console())
    for text in (*points.notes, *([f"extrapolated: {warning}"] if warning else [])):
        print(f"spintrit: warning: {text}", file=sys.stderr)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from spintrit.report import device as device_report
    from spintrit.report.console import Console

    device = junction.load(arguments.name)
    writable(arguments.json, _own(arguments.name))
    designed = curve.load(device, simulating=_simulating(device))
    with _status(f"{device.name}: simulating ..."):
        figures = devicecheck.check(device, designed, trials=arguments.trials, seed=arguments.seed)
    write_json(arguments, figures)
    if not silent(arguments):
        device_report.show_check(figures, Console())
    failures = devicecheck.failures(figures)
    if failures:
        print(f"spintrit: check of {device.name}: {'; '.join(failures)}", file=sys.stderr)
    return 1 if failures else 0


def _energy(arguments: argparse.Namespace) -> int:
    from spintrit.report import energy as energy_report
    from spintrit.report import energy_picture
    from spintrit.runs import energy
    from spintrit.runs.run import RUN_FILES

    inputs = [arguments.costs, *(arguments.folder / name for name in RUN_FILES)]
    writable(arguments.json, inputs)
    writable(arguments.picture, [*inputs, arguments.json], PICTURES)
    report = energy.report(arguments.folder, arguments.costs, arguments.adc_bits)
    write_json(arguments, report)
    if arguments.picture:
        energy_picture.draw(report, in_folder(arguments.picture))
    if not silent(arguments):
        energy_report.show(report)
    return 0
