"""Formal equivalence of a component's Verilog and its netlist, by Yosys' SAT solver."""

import json
import re
import tempfile
from pathlib import Path

from amaranth.lib import wiring

from synth import yosys
from synth.generate import checked_name, component_verilog
from synth.netlist.netlist import component_netlist, verilog_netlist, with_models
from synth.passes.memories import without_memories
from synth.targets import target
from synth.tools import ToolError

# Registers get no initial value, whatever the models say: reset alone has to make the two equal.
# The Verilog keeps the names of registers and ports. The netlist keeps the names of driven signals:
# synthesis may have removed some bits of a signal. Loose registers are those whose next value does
# not depend on ``rst``.
_READ = """
read_verilog {kind}.v
hierarchy -check -top {top}
proc
flatten
setattr -unset init w:*
memory
opt_clean
async2sync
setundef -undriven -anyseq
splitnets
select -write {kind}.loose t:$dff x:rst %co*:-$dff %co1:+[D] %d %co1:+[Q] w:* %i
write_json {kind}.json
select -set named {named}
rename -hide w:* x:* %d @named %d
design -stash {kind}
"""
_NAMED = {"gold": "t:$dff %co1", "gate": "c:* t:$anyseq %d %co2"}
# Signals with a name in both become ports of both, and the miter asserts that they are equal.
_PAIR = """
design -copy-from gold -as gold {top}
design -copy-from gate -as gate {top}
expose -shared gold gate
miter -equiv -make_assert -make_outputs -flatten gold gate both
hierarchy -top both
opt_clean
select -write outputs o:gold_*
write_rtlil both.il
"""
# Base: named signals are equal after a cycle of reset, from any two states. Step: if they are
# equal, they are equal one cycle later, for all inputs.
_PROVE = """
read_rtlil both.il
sat -verify -tempinduct -seq 1 -maxsteps {steps} {start} -prove-asserts -show-outputs both
"""
_STEPS = 4  # cycles that a register without a namesake may take to show
_VALUE = re.compile(r"^ +(\d+) \\(gold|gate)_(\S+) .* ([01x]+) *$", re.MULTILINE)
_RESET = re.compile(r"\binput (?:wire )?rst\b")


class NotEquivalentError(RuntimeError):
    """A netlist could not be proven equivalent to its Verilog.

    Attributes
    ----------
    signals : list of str
        The Verilog's registers and outputs that differ in the counterexample.
    """

    def __init__(self, top: str, signals: list[str]):
        super().__init__(f"{top} is not proven: {', '.join(signals) or 'no signal'} may differ")
        self.signals = signals


def prove(component: wiring.Component, top: str, name: str) -> None:
    """Prove that a component's netlist is equivalent to its Verilog from the first reset on.

    For all sequences of inputs, the outputs are equal in every cycle after one with ``rst``. The
    state before may be any, but registers that reset does not reach must be equal.

    A component with memories is proven without them: their ports become ports of the component,
    in the Verilog and in the netlist.

    Parameters
    ----------
    component : Component
    top : str
        Name of its module.
    name : str
        One of ``synth.netlist.netlist.MODELLED``.

    Raises
    ------
    NotEquivalentError
        If there is no proof.
    ValueError, ToolError
        As ``synth.netlist.netlist.netlist_verilog``.
    """
    verilog = component_verilog(component, checked_name(top))
    open_verilog = without_memories(verilog, top)
    if open_verilog != verilog or target(name).name.startswith("ice40"):
        # An iCE40's registers start as 0. For a register that starts as 1 the tools would store the
        # inverse under a name of their own, and induction would have no signal to use. The Verilog
        # leaves the initial values open.
        netlist = verilog_netlist(open_verilog, top, name)
    else:
        netlist = component_netlist(component, top, name)
    compare(open_verilog, with_models(netlist, name), top)


def compare(gold: str, gate: str, top: str) -> None:
    """Prove that two Verilog texts' modules ``top`` are equal, in the sense of ``prove``.

    Raises
    ------
    NotEquivalentError
        If it is not proven.
    ToolError
        If Yosys is missing or fails otherwise.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, script = Path(scratch), ""
        for kind, text in (("gold", gold), ("gate", gate)):
            (folder / f"{kind}.v").write_text(text)
            script += _READ.format(kind=kind, top=top, named=_NAMED[kind])
        yosys.run(script + _PAIR.format(top=top), folder)
        start = ""
        if _RESET.search(gold):
            start = "-set-at 1 in_rst 1"
            for signal in _loose(folder, top):
                start += f" -set-at 1 gold_{signal} gate_{signal}"
        try:
            log = yosys.run(_PROVE.format(steps=_STEPS, start=start), folder)
        except ToolError as error:
            if "proof did fail" not in str(error):
                raise
            raise NotEquivalentError(top, differing(error.log)) from error
    if "Import proof for assert" not in log:
        raise NotEquivalentError(top, ["every output"])


def _loose(folder: Path, top: str) -> list[str]:
    """The miter's names of registers that reset does not reach: registers whose name the netlist
    has, too, and bits of ports, which may be the only names in a netlist."""

    def names(file: str) -> set[str]:
        return {line.rsplit("/", 1)[1] for line in (folder / file).read_text().splitlines()}

    loose = names("gold.loose")
    module = json.loads((folder / "gold.json").read_text())["modules"][top]
    nets = {bit for name in loose for bit in module["netnames"][name]["bits"]}
    found = loose & {output.removeprefix("gold_") for output in names("outputs")}
    for port, declared in module["ports"].items():
        if declared["direction"] == "output":
            found |= {f"{port}[{i}]" for i, bit in enumerate(declared["bits"]) if bit in nets}
    return sorted(found)


def differing(log: str) -> list[str]:
    """Signals that differ in the last cycle of a counterexample, in a log of ``sat``."""
    values: dict[tuple[int, str], dict[str, str]] = {}
    for cycle, kind, signal, value in _VALUE.findall(log):
        values.setdefault((int(cycle), signal), {})[kind] = value
    last = max((cycle for cycle, _ in values), default=0)
    return sorted(
        signal
        for (cycle, signal), pair in values.items()
        if cycle == last and len(set(pair.values())) == 2
    )
