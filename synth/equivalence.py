"""Formal equivalence of a component's Verilog and its netlist, by Yosys' SAT solver."""

import re
import tempfile
from pathlib import Path

from amaranth.lib import wiring

from synth import yosys
from synth.generate import checked_name, component_verilog
from synth.netlist import component_netlist, verilog_netlist, with_models
from synth.targets import target
from synth.tools import ToolError

# Registers have no initial value, whatever the models say: reset alone has to bring the two
# together, from any state. Of the Verilog's names those of registers and ports are left, of the
# netlist's those that something drives: synthesis may have had no use for some bits of a signal.
_READ = """
read_verilog {file}
hierarchy -check -top {top}
proc
flatten
setattr -unset init w:*
memory
opt_clean
async2sync
splitnets
select -set named {named}
rename -hide w:* x:* %d @named %d
design -stash {kind}
"""
_NAMED = {"gold": "t:$dff %co1", "gate": "c:* %co2"}
# Signals of one name are asserted to be equal, registers among them. Base: they are after a cycle
# of reset. Step: if they are, they still are a cycle later, for all inputs and all other states.
_PROVE = """
design -copy-from gold -as gold {top}
design -copy-from gate -as gate {top}
equiv_make -make_assert gold gate both
hierarchy -top both
opt_clean
sat -verify -tempinduct -seq 1 -maxsteps {steps} {reset} -prove-asserts -show-public both
"""
_STEPS = 4  # cycles that a register without a namesake may take to show
_VALUE = re.compile(r"^ +(\d+) \\(\S+)_(gold|gate) .* ([01x]+) *$", re.MULTILINE)
_RESET = re.compile(r"^\s*input (?:wire )?rst;", re.MULTILINE)


class NotEquivalentError(RuntimeError):
    """A netlist could not be proven to do what its Verilog does.

    Attributes
    ----------
    signals : list of str
        The Verilog's signals, ports among them, that differ in the case found.
    """

    def __init__(self, top: str, signals: list[str]):
        super().__init__(f"{top} is not proven: {', '.join(signals) or 'no signal'} may differ")
        self.signals = signals


def prove(component: wiring.Component, top: str, name: str) -> None:
    """Prove that a component's netlist does what its Verilog does, from the first reset on.

    For all sequences of inputs: the outputs are the same in every cycle after one with ``rst``,
    whatever the state before. Components with memories are beyond it, as their words have no names.

    Parameters
    ----------
    component : Component
    top : str
        What to call its module.
    name : str
        One of ``synth.netlist.MODELLED``.

    Raises
    ------
    NotEquivalentError
        If it is not proven.
    ValueError, ToolError
        As ``synth.netlist.netlist_verilog``.
    """
    verilog = component_verilog(component, checked_name(top))
    compare(verilog, with_models(netlist_to_prove(component, verilog, top, name), name), top)


def netlist_to_prove(component: wiring.Component, verilog: str, top: str, name: str) -> str:
    """The netlist that is placed or, on an iCE40, that of ``verilog``, the component's.

    iCE40's registers come up as 0. Where ours come up as 1, which the Verilog leaves open, the
    registers hold the inverse under names of the tools' own, and there is nothing to induct on.
    """
    if target(name).name.startswith("ice40"):
        return verilog_netlist(verilog, top, name)
    return component_netlist(component, top, name)


def compare(gold: str, gate: str, top: str) -> None:
    """Prove that two Verilog texts' modules ``top`` are equal from the first reset on.

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
            script += _READ.format(file=f"{kind}.v", kind=kind, top=top, named=_NAMED[kind])
        reset = "-set-at 1 rst 1" if _RESET.search(gold) else ""
        try:
            log = yosys.run(script + _PROVE.format(top=top, steps=_STEPS, reset=reset), folder)
        except ToolError as error:
            if "proof did fail" not in str(error):
                raise
            raise NotEquivalentError(top, differing(error.log)) from error
    if "Import proof for assert" not in log:
        raise NotEquivalentError(top, ["every output"])


def differing(log: str) -> list[str]:
    """Signals that differ in the last cycle of a counterexample, in a log of ``sat``."""
    values: dict[tuple[int, str], dict[str, str]] = {}
    for cycle, signal, kind, value in _VALUE.findall(log):
        values.setdefault((int(cycle), signal), {})[kind] = value
    last = max((cycle for cycle, _ in values), default=0)
    return sorted(
        signal
        for (cycle, signal), pair in values.items()
        if cycle == last and len(set(pair.values())) == 2
    )
