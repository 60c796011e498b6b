"""Netlists of FPGA synthesis as Verilog for simulators, with models of the cells."""

import importlib.util
import json
import re
import tempfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from hdl.accel.accelerator_top import AxiAccelerator
from synth import flow, yosys
from synth.accelerator import ACCELERATOR_NAME
from synth.generate import TOP_NAME, FlatArray, headed
from synth.targets import TARGETS, target
from synth.tools import EXTRA, MissingToolError

# Models by the prefix of a target's name: Yosys' own and ours.
_MODELS = {"ecp5": "ecp5/cells_sim.v", "ice40": "ice40/cells_sim.v"}
_OURS = {"ecp5": ["dp16kd.v", "mult18x18d.v"], "ice40": []}
MODELLED = tuple(name for name in TARGETS if name.startswith(tuple(_MODELS)))
# Warnings of the models, and false loops: bits of one name that feed one another.
_ALLOWED = "\n".join(
    f"/* verilator lint_off {name} */" for name in ("INITIALDLY", "MULTIDRIVEN", "UNOPTFLAT")
)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# Times of paths and Yosys' attributes, neither of which a simulation without delays needs.
_TIMES = re.compile(r"\bspecify\b.*?\bendspecify\b|\(\*(?!\)).*?\*\)", re.DOTALL)
_INCLUDE = re.compile(r'`include "([^"]+)"')
_MODULE = re.compile(r"\bmodule\s+(\\?[^\s(#]+).*?\bendmodule\b", re.DOTALL)


def netlist_verilog(config: ArrayConfig | AcceleratorConfig, name: str) -> str:
    """Verilog netlist of an array or an accelerator after a target's synthesis, with models of the
    cells.

    Module and ports are those of ``synth.generate.array_verilog`` or, with AXI ports, of
    ``synth.accelerator.accelerator_verilog``: the same benches simulate RTL and netlist.

    Parameters
    ----------
    config : ArrayConfig or AcceleratorConfig
    name : str
        One of ``MODELLED``, the targets whose cells have models.

    Raises
    ------
    ValueError
        If the target is unknown, or its cells have no models.
    ToolError
        If Yosys is missing or fails.
    """
    if isinstance(config, ArrayConfig):
        netlist = component_netlist(FlatArray(config), TOP_NAME, name)
    else:
        netlist = component_netlist(AxiAccelerator(config), ACCELERATOR_NAME, name)
    return headed(f"{config} on {name}", with_models(netlist, name))


def component_netlist(component: wiring.Component, top: str, name: str) -> str:
    """The flat netlist of a component without harness, as Verilog with the single module ``top``.
    Script and passes are those of ``synth.flow``.

    Raises
    ------
    ValueError, ToolError
        As ``netlist_verilog``.
    """
    _family(name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        return _written(flow.synthesise(component, top, target(name), folder))


def verilog_netlist(verilog: str, top: str, name: str) -> str:
    """The netlist of a Verilog text with module ``top``, as ``component_netlist``; its registers
    have initial values where the text gives them any."""
    _family(name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(verilog)
        return _written(flow.netlist("read_verilog design.v", top, top, target(name), folder))


def _written(made: flow.Synthesis) -> str:
    folder = made.netlist.parent
    design = json.loads(made.netlist.read_text())
    module = design["modules"][made.top]
    module["netnames"] = apart(module["netnames"], module["cells"])
    made.netlist.write_text(json.dumps(design))
    yosys.run(f"read_json {made.netlist.name}\nwrite_verilog -noattr netlist.v\n", folder)
    return (folder / "netlist.v").read_text()


def apart(nets: Mapping[str, Any], cells: Collection[str]) -> dict[str, Any]:
    """Rename nets that have the name of a cell: Yosys refuses them, nextpnr does not.
    ``synth.passes.copies`` makes such names for copies of copies."""
    return {f"{name}_net" if name in cells else name: net for name, net in nets.items()}


def with_models(netlist: str, name: str) -> str:
    """One text with a netlist and the models of the cells that it uses."""
    preamble, library = _library(_family(name))
    used: dict[str, str] = {}
    pending = [netlist]
    while pending:
        words = set(re.findall(r"\w+", pending.pop()))
        for word in sorted(words & library.keys() - used.keys()):
            used[word] = library[word]
            pending.append(library[word])
    return "\n".join([_ALLOWED, preamble, netlist, *used.values(), ""])


def _family(name: str) -> str:
    """The target's family of cells; raises ValueError if they have no models."""
    for family in _MODELS:
        if target(name).name.startswith(family):
            return family
    raise ValueError(f"target must be one of {MODELLED}, whose cells have models, not {name!r}")


@cache
def _library(family: str) -> tuple[str, dict[str, str]]:
    """Macros and, by name, modules of a family's models."""
    theirs = _bare(share() / _MODELS[family])
    ours = [_bare(Path(__file__).parent / "models" / file) for file in _OURS[family]]
    library: dict[str, str] = {}
    # The first of a name is taken: Yosys' black boxes are behind our models, and its files are
    # included more than once.
    for found in _MODULE.finditer("\n".join([*ours, theirs])):
        library.setdefault(found[1].lstrip("\\"), found[0])
    above = theirs[: theirs.index("module")].splitlines()
    macros = [line for line in above if line.startswith("`") and "timescale" not in line]
    return "\n".join(macros), library


def _bare(path: Path) -> str:
    """A file and its includes, without comments, attributes and times."""
    text = _TIMES.sub("", _COMMENT.sub("", path.read_text()))
    return _INCLUDE.sub(lambda match: _bare(path.with_name(match[1])), text)


def share() -> Path:
    """The folder of Yosys' data files, from any of its packages.

    Raises
    ------
    MissingToolError
        If there is none.
    """
    for engine in yosys.ENGINES:
        spec = importlib.util.find_spec(engine.name.replace("-", "_"))
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (Path(place) / "share").is_dir():
                return Path(place) / "share"
    raise MissingToolError(f"no data files of Yosys: {EXTRA}")
