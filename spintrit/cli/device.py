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
_NAME = "a built-in device (spintrit device list), or a .toml file"
_SEED = "seed of the simulation [1]"


def add(commands: Any) -> None:
    """Add both commands to the top parser's."""
    group = commands.add_parser(
        "device",
        help="junctions: parameters, switching probability, tables, fits to measurements",
        description="Magnetic tunnel junctions: parameters, switching probability, probability "
        "tables, fits to measurements, checks against simulation.",
    ).add_subparsers(metavar="COMMAND", required=True)
    _add_list_and_show(group)
    _add_plot(group)
    _add_table(group)
    _add_fit(group)
    _add_check(group)
    _add_energy(commands)


def _add_list_and_show(group: Any) -> None:
    listing = group.add_parser(
        "list", help="list the built-in devices", description="List the built-in devices."
    )
    add_json(listing, "their parameters and figures (SI units; null: infinity)")
    listing.set_defaults(act=_list)

    show = group.add_parser(
        "show",
        help="show a device's parameters and derived figures",
        description="Show a device's parameters and derived figures with their units.",
    )
    show.add_argument("name", metavar="NAME", help=_NAME)
    add_json(show, "parameters and figures (SI units; null: infinity)")
    show.set_defaults(act=_show)


def _add_plot(group: Any) -> None:
    plot = group.add_parser(
        "plot",
        help="draw switching probability and pulse coders",
        description="Draw a device's switching probability against pulse length and voltage: "
        "curve, closed formula and simulation. Draw the probabilities under each pulse coder.",
    )
    plot.add_argument("name", metavar="NAME", help=_NAME)
    add_picture(plot, short=True, required=True)
    plot.add_argument(
        "--trials", type=int, default=PLOT_TRIALS, metavar="N",
        help=f"simulated trials per point [{PLOT_TRIALS}]",
    )  # fmt: skip
    plot.add_argument("--seed", type=int, default=1, metavar="N", help=_SEED)
    plot.set_defaults(act=_plot)


def _add_table(group: Any) -> None:
    table = group.add_parser(
        "table",
        help="make a device's probability table",
        description="Make a device's probability table: pulse length and switching probability "
        "for each pulse code and direction.",
    )
    table.add_argument("name", metavar="NAME", help=_NAME)
    add_out(table, "table file to write", "FILE")
    table.add_argument(
        "--model", choices=curve.MODELS, default=curve.MODELS[0],
        help="macrospin: curve fitted to a macrospin simulation; formula: closed formula "
        f"[{curve.MODELS[0]}]",
    )  # fmt: skip
    _add_coder(table, "the device's")
    add_json(table, "the table file")
    table.set_defaults(act=_table)


def _add_fit(group: Any) -> None:
    fit = group.add_parser(
        "fit",
        help="fit measured switching probabilities; make a table from the fit",
        description="Fit measured switching probabilities; with -o, make a probability table from "
        "the fit. Columns of the CSV file: direction, voltage_v, pulse_s, and either switched and "
        "trials, or probability. Other units stand in the header, as in 'pulse (ns)'.",
    )
    fit.add_argument("file", type=path, metavar="FILE.csv", help="measured data")
    add_out(fit, "table file to write", "TABLE.json")
    add_picture(fit, short=False)
    add_json(fit, "the fit's summary")
    fit.add_argument(
        "--device", metavar="NAME",
        help=f"device to store in the table file, for reads, ageing and energy: {_NAME}",
    )  # fmt: skip
    for what in ("voltage", "length"):
        fit.add_argument(
            f"--{what}-tolerance", type=float, default=TOLERANCE, metavar="X",
            help=f"treat {what}s as equal if their relative difference is below X [{TOLERANCE}]",
        )  # fmt: skip
    _add_coder(fit, "the highest/longest measured in both directions", "table (with -o)")
    fit.set_defaults(act=_fit)


def _add_check(group: Any) -> None:
    check = group.add_parser(
        "check",
        help="check a device's switching curve against simulation",
        description="Compare a device's switching curve and the closed formula with a new "
        "simulation, at the write voltage and over a grid of voltages and lengths. Compare the "
        "simulation without a pulse with the Boltzmann distribution, and with a simulation at half "
        "the time step. The exit status is 1 if a figure exceeds its bound. The check takes about "
        "half a minute for the default device, longer for longer pulses.",
    )
    check.add_argument("name", metavar="NAME", help=_NAME)
    check.add_argument(
        "--trials", type=int, default=devicecheck.TRIALS, metavar="N",
        help="simulated trials per direction at the write voltage; N / 4 at other voltages "
        f"[{devicecheck.TRIALS}]",
    )  # fmt: skip
    check.add_argument("--seed", type=int, default=1, metavar="N", help=_SEED)
    add_json(check)
    check.set_defaults(act=_check)


def _add_energy(commands: Any) -> None:
    energy = commands.add_parser(
        "energy",
        help="energy, efficiency and speed of a finished run",
        description="Report the energy of a training by phase and part, its efficiency "
        "(operations per second and watt) next to published figures, and its time for each "
        "number of converters.",
    )
    energy.add_argument("folder", type=path, metavar="RUNFOLDER", help="folder of a finished run")
    energy.add_argument(
        "--costs",
        type=path,
        metavar="FILE.toml",
        help="costs that replace those of golden/energy/costs.toml",
    )
    energy.add_argument(
        "--adc-bits",
        type=int,
        metavar="N",
        help="resolution of the column converters, bits [the run's, or enough for exact sums]",
    )
    add_json(energy, "all figures")
    add_picture(energy, short=True)
    energy.set_defaults(act=_energy)


def _add_coder(parser: argparse.ArgumentParser, pulse: str, title: str = "table") -> None:
    group = parser.add_argument_group(title)
    add_fields(group, CoderConfig, CODER_HELP)
    group.add_argument("--voltage", type=float, metavar="V", help=f"pulse voltage, volt [{pulse}]")
    group.add_argument(
        "--full-s", type=float, metavar="T", help=f"full pulse length, seconds [{pulse}]"
    )
    add_fields(group, ArrayConfig, ARRAY_HELP, only=("code_bits", "draw_bits"))


def _coding(arguments: argparse.Namespace) -> tuple[CoderConfig, ArrayConfig]:
    return fields(CoderConfig, arguments), fields(ArrayConfig, arguments)


def _own(name: str) -> list[str]:
    """The TOML file that ``name`` names, or nothing for a built-in device."""
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
    """A status line for long work. It goes to standard error; --json uses standard output."""
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
