"""The registers behind AXI4-Lite under cocotb, with a master of another author."""

import os

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from golden.registers import PARAMETERS, by_name
from hdl.bus.axi import AxiLite
from hdl.bus.registers import RegisterFile
from hdl.bus.uart import UartBridge
from synth.generate import TOP_NAME, component_verilog
from tb.benches import axi_tb
from tb.runner import run_tb
from tb.test_lint import lint

SEED = int(os.environ.get("SPINTRIT_TB_SEED", "1"))
CONSTANTS = {
    f"{name}.{field.name}": (37 * i + len(name)) % (1 << field.width)
    for name in PARAMETERS
    for i, field in enumerate(by_name()[name].fields)
}


class Registers(wiring.Component):
    """The registers behind a front end, with the ports of both."""

    def __init__(self, front):
        self._parts = front, RegisterFile(CONSTANTS)
        super().__init__(
            {
                name: member
                for part in self._parts
                for name, member in part.signature.members.items()
                if name != "bus"
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.front, m.submodules.file = front, file = self._parts
        wiring.connect(m, front.bus, file.bus)
        for part in self._parts:
            for name, member in part.signature.members.items():
                if name == "bus":
                    continue
                inner, outer = getattr(part, name), getattr(self, name)
                if member.is_signature:
                    wiring.connect(m, wiring.flipped(outer), inner)
                elif member.flow == Out:
                    m.d.comb += outer.eq(inner)
                else:
                    m.d.comb += inner.eq(outer)
        return m


@pytest.mark.parametrize(
    "front", [AxiLite(), UartBridge(868), UartBridge(5)], ids=["axi", "uart868", "uart5"]
)
def test_lint_is_clean(front, tmp_path):
    verilog = component_verilog(Registers(front), TOP_NAME)
    shown = lint(tmp_path, "/* verilator lint_off DECLFILENAME */\n" + verilog)
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []


def test_axi(tmp_path):
    run_tb(Registers(AxiLite()), "tb.benches.axi_tb", tmp_path, tests=axi_tb.TESTS, seed=SEED)
