"""From a component to cells, and to a placed and routed design with its timing."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from golden import checks
from synth import rtlil, yosys
from synth.harness import INNER, Harness
from synth.targets import CONSTRAINTS, FREQ_MHZ, Area, Target
from synth.tools import ToolError, call

# Signals that linters are allowed to find without a reader have none on an FPGA either.
_DROP = "setattr -unset keep w:unused w:unused$*"
MOST_SEED = (1 << 31) - 1
# "TRELLIS_COMB:   12345/  83640    14%", under the heading "Device utilisation:".
_USED = re.compile(r"^Info:\s+(\w+): +(\d+)/ *(\d+) +\d+%$", re.MULTILINE)
_NO_PLACE = re.compile(
    r"[Nn]o (?:more )?(?i:bels) remaining|nable to (?:find (?:a |legal )?)?plac|failed to place"
)
# What Yosys appends to the name of a signal for cells and wires that it makes next to it.
_DERIVED = re.compile(
    r"(?:_(?:copy\d|SB_[A-Z]|TRELLIS_|LUT[1-4]\b|LUT4_|CCU2C|PFUMX|L6MUX21|MUX2_|ALU_|DFF[A-Z]*_[A-Z]|DO(?![a-zA-Z]))|\$).*"
)


class DoesNotFitError(ToolError):
    """A design is too large for its FPGA.

    Attributes
    ----------
    utilisation : dict
        Used and available, by nextpnr's name of a resource.
    """

    def __init__(self, message: str, log: str, utilisation: dict[str, tuple[int, int]]):
        super().__init__(message, log)
        self.utilisation = utilisation


@dataclass(frozen=True)
class Synthesis:
    """A synthesised component.

    Parameters
    ----------
    netlist : Path
        Yosys's JSON, for nextpnr.
    top : str
        Name of the top module.
    area : Area
    """

    netlist: Path
    top: str
    area: Area


@dataclass(frozen=True)
class Hop:
    """A step of a path: ``kind`` is clk-to-q, logic, routing or setup, ``name`` the net of routing
    and otherwise the cell, as the tools name them."""

    kind: str
    name: str
    delay_ns: float

    @property
    def signal(self) -> str:
        """The design's signal; with a ``~`` if the tools made this net from it."""
        name = self.name.removeprefix(f"{INNER}.")
        own = _DERIVED.sub("", name)
        return own if own == name else f"{own or 'carry'}~"


@dataclass(frozen=True)
class Timing:
    """Results of place and route.

    Parameters
    ----------
    fmax_mhz : float
        Highest clock of the worst path from register to register.
    path : list of Hop
        That path.
    utilisation : dict
        Used and available, by nextpnr's name of a resource; includes the harness.
    """

    fmax_mhz: float
    path: list[Hop]
    utilisation: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Part:
    """A kind of component within a design.

    Parameters
    ----------
    path : str
        Hierarchical path without the numbers of equal components; the top is ``""``.
    count : int
    area : Area
        Area of one, synthesised alone with all that is within it.
    """

    path: str
    count: int
    area: Area

    def own(self, parts: list["Part"]) -> Area:
        """Area of one without the parts within it.

        It includes logic that is optimised across their border, and may be negative.
        """
        left = self.area
        for part in parts:
            outer, _, _ = part.path.rpartition(".")
            if part is not self and outer == self.path:
                left = left - part.area.times(part.count // self.count)
        return left


def synthesise(component: wiring.Component, name: str, target: Target, folder: Path) -> Synthesis:
    """Synthesise a component, flattened; writes ``<name>.il`` and ``<name>.json`` into ``folder``.

    Raises
    ------
    ToolError
        If there is no Yosys, or it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    design = rtlil.convert(component, name)
    (folder / f"{name}.il").write_text(design)
    return netlist(f"read_rtlil {name}.il", name, name, target, folder)


def parts(
    component: wiring.Component, whole: Synthesis, target: Target, folder: Path, depth: int = 3
) -> list[Part]:
    """The kinds of components within one, down to ``depth``, from the outermost.

    Each kind is synthesised alone and once, so nothing of it is optimised together with its
    surroundings. The outermost component is not synthesised: its result is ``whole``.

    Raises
    ------
    ToolError
        If there is no Yosys, or it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = whole.top
    file = f"{name}-parts.il"
    design = rtlil.convert(component, name)
    (folder / file).write_text(design)
    kinds: dict[str, list[str]] = {}
    for module in re.findall(r"^module \\(\S+)$", design, re.MULTILINE):
        _, *steps = module.removeprefix(name).split(".")
        if len(steps) <= depth:
            kind = ".".join(re.sub(r"_\d+$", "", step) for step in steps)
            kinds.setdefault(kind, []).append(module)
    found = []
    for index, (kind, modules) in enumerate(sorted(kinds.items())):
        area = whole.area
        if kind:
            reading = f"read_rtlil {file}"
            area = netlist(reading, modules[0], f"{name}-part{index}", target, folder).area
        found.append(Part(kind, len(modules), area))
    return found


def netlist(reading: str, top: str, file: str, target: Target, folder: Path) -> Synthesis:
    """Synthesise module ``top`` after the Yosys commands ``read``; writes ``<file>.json``.

    Raises
    ------
    ToolError
        If there is no Yosys, or it fails.
    """
    # ABC's interface names the bits of a signal ``x`` as Amaranth does the elements of an array
    # ``x``, and Yosys takes one for the other; the elements' names can go.
    hiding = r"rename -hide */w:*\[*"
    made = folder / f"{file}.json"
    steps = [reading, hiding, _DROP, target.synthesis.format(top=top), f"write_json {made.name}"]
    yosys.run("\n".join(steps) + "\n", folder)
    design = json.loads(made.read_text())
    module = design["modules"][top]
    if sum(change(module) for change in target.changes):
        made.write_text(json.dumps(design))
    return Synthesis(made, top, target.area(module["cells"]))


def place(
    synthesis: Synthesis, target: Target, *,
    seed: int = 1, freq_mhz: float = FREQ_MHZ, output: Sequence[str] = (),
) -> Timing:  # fmt: skip
    """Place and route a netlist; the same seed gives the same result.

    Parameters
    ----------
    synthesis : Synthesis
        A design with no more pins than the chip has.
    target : Target
    seed : int
        Seed of placement, 1 to 2^31 - 1.
    freq_mhz : float
        Target clock.
    output : sequence of str
        Options of nextpnr for further output files.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its type or range, or the target has no place and route.
    DoesNotFitError
        If the design is too large.
    ToolError
        If nextpnr is missing or fails otherwise.
    """
    seed = checks.integer("seed", seed, 1, MOST_SEED)
    freq_mhz = checks.real("freq_mhz", freq_mhz, 1, 2000)
    if not target.placer:
        raise ValueError(f"target {target.name!r} has no place and route")
    folder, report = synthesis.netlist.parent, f"{synthesis.top}-report.json"
    if target.constraints:
        (folder / CONSTRAINTS).write_text(target.constraints)
    try:
        used = packed(synthesis, target)
        if not _too_large(used):  # an ECP5's placer reports it only after many minutes
            _nextpnr(
                target, synthesis.netlist,
                "--report", report, "--seed", str(seed), "--freq", f"{freq_mhz:g}",
                "--timing-allow-fail", *output,
            )  # fmt: skip
    except ToolError as error:
        used = utilisation(error.log)
        if _too_large(used) or _NO_PLACE.search(str(error)):
            raise _misfit(target, used, error.log) from None
        raise
    if _too_large(used):
        raise _misfit(target, used, "")
    return timing(json.loads((folder / report).read_text()))


def _too_large(used: dict[str, tuple[int, int]]) -> bool:
    return any(have < want for want, have in used.values())


def _misfit(target: Target, used: dict[str, tuple[int, int]], log: str) -> DoesNotFitError:
    needs = ", ".join(
        f"{name} {want} of {have}"
        for name, (want, have) in used.items()
        if want and (want > have or name == target.logic)
    )
    return DoesNotFitError(f"does not fit {target.name}: {needs}", log, used)


def packed(synthesis: Synthesis, target: Target) -> dict[str, tuple[int, int]]:
    """Used and available of each resource after nextpnr's packing, before placement.

    Packing adds cells to carries that begin or end in logic, and pairs LUTs with registers. Pins
    have no place yet. The result is empty for chips whose nextpnr demands placed pins.

    Raises
    ------
    ToolError
        If nextpnr is missing or fails.
    """
    if target.constraints:
        return {}
    return utilisation(_nextpnr(target, synthesis.netlist, "--pack-only"))


def _nextpnr(target: Target, netlist: Path, *arguments: str) -> str:
    """Run nextpnr in the netlist's folder."""
    words = [*target.arguments, "--json", netlist.name, *arguments]
    return _placer(target, "run(sys.argv[1:])", *words, cwd=netlist.parent)


def placer_version(target: Target) -> str:
    """Version of nextpnr.

    Raises
    ------
    ToolError
        If it is missing.
    """
    log = _placer(target, "run(['--version'])", cwd=Path.cwd())
    found = re.search(r"Version ([\w.-]+)", log)
    return found[1] if found else log.strip()


def _placer(target: Target, expression: str, *arguments: str, cwd: Path) -> str:
    """Call the package of a target's nextpnr, as ``run``; returns its log."""
    name = target.placer.replace("-", "_")
    imports = f"from yowasp_{name} import run_{name} as run"
    return call("nextpnr", imports, expression, *arguments, cwd=cwd)


def utilisation(log: str) -> dict[str, tuple[int, int]]:
    """Read used and available of each resource from nextpnr's log."""
    _, _, text = log.partition("Device utilisation:")
    return {name: (int(used), int(have)) for name, used, have in _USED.findall(text)}


def timing(report: Any) -> Timing:
    """Timing and utilisation, from nextpnr's report.

    Raises
    ------
    ToolError
        If the report has no path from register to register.
    """
    used = {name: (n["used"], n["available"]) for name, n in report["utilization"].items()}
    if not report["fmax"]:
        raise ToolError("nextpnr found no path from register to register")
    clock, worst = min(report["fmax"].items(), key=lambda entry: entry[1]["achieved"])
    ends = f"posedge {clock}"
    [path] = [p for p in report["critical_paths"] if p["from"] == p["to"] == ends][:1]
    hops = [
        Hop(step["type"], step.get("net", step["to"]["cell"]), round(step["delay"], 3))
        for step in path["path"]
    ]
    return Timing(round(worst["achieved"], 2), hops, used)


def timed(
    component: wiring.Component, name: str, target: Target, folder: Path, *,
    seed: int = 1, freq_mhz: float = FREQ_MHZ,
) -> Timing:  # fmt: skip
    """Place and route a component within ``synth.harness.Harness``; arguments and errors as for
    ``synthesise`` and ``place``. The reset comes from a pin, and its way is not timed."""
    framed = synthesise(Harness(component), f"{name}_framed", target, folder)
    return place(framed, target, seed=seed, freq_mhz=freq_mhz)
