# amaranth: UnusedElaboratable=no
"""Netlists proven to do what the Verilog does, and faults that a proof has to find."""

import re

import pytest

from golden.config import ArrayConfig
from hdl.accumulator import RowAccumulator
from hdl.dot import TernaryDot
from hdl.lane import Lane
from hdl.lfsr import Lfsr
from synth.equivalence import NotEquivalentError, compare, prove
from synth.generate import component_verilog
from synth.netlist import MODELLED, component_netlist, with_models
from synth.tools import ToolError

ECP5, ICE40 = "ecp5-25k", "ice40hx8k"
LANE = ArrayConfig(rows=1, cols=1, draw_bits=8, code_bits=3)
BLOCKS = {
    "dot": lambda: TernaryDot(length=5),
    "accumulator": lambda: RowAccumulator(columns=1, error_bits=4, sum_bits=8),
    "lane": lambda: Lane(LANE, init=(0x0123456789ABCDEF, 3)),
    "lfsr": lambda: Lfsr(draw_bits=8, init=0x0123456789ABCDEF),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("target", [ECP5, ICE40])
def test_netlist_does_what_the_verilog_does(block, target):
    prove(BLOCKS[block](), block, target)


@pytest.fixture(scope="module")
def dot():
    """The Verilog of a small dot product and its netlist, without models."""
    component = TernaryDot(length=3)
    return component_verilog(component, "dot"), component_netlist(TernaryDot(length=3), "dot", ECP5)


def test_faulty_table_of_a_lut_is_found(dot):
    """Of every one of the LUTs of some kind: those that are added up, and those of the products."""
    verilog, netlist = dot
    tables = [*re.finditer(r"\.INIT\(16'h([0-9a-f]{4})\)", netlist)]
    assert len(tables) > 5
    for table in tables[::3]:
        wrong = f"{int(table[1], 16) ^ 0xFFFF:04x}"
        broken = netlist[: table.start(1)] + wrong + netlist[table.end(1) :]
        with pytest.raises(NotEquivalentError) as caught:
            compare(verilog, with_models(broken, ECP5), "dot")
        assert set(caught.value.signals) & {"plus_count", "minus_count", "sum"} or any(
            re.match(r"(plus|minus)_count\[\d\]", signal) for signal in caught.value.signals
        )


def test_register_that_resets_to_another_value_is_found(dot):
    verilog, netlist = dot
    broken = netlist.replace('.REGSET("RESET")', '.REGSET("SET")', 1)
    assert broken != netlist
    with pytest.raises(NotEquivalentError, match=r"^dot is not proven: .*_count"):
        compare(verilog, with_models(broken, ECP5), "dot")


COUNTER = """
module counter(input clk, input rst, input en, output [7:0] o);
  reg [7:0] count;
  assign o = count;
  always @(posedge clk)
    if (rst) count <= 8'd{reset};
    else if (en) count <= count + 8'd{step} {late};
endmodule
"""


def counter(reset=0, step=1, late=""):
    return COUNTER.format(reset=reset, step=step, late=late).replace("input rst,", "input rst,\n")


@pytest.mark.parametrize(
    "fault", [{"step": 3}, {"reset": 1}, {"late": "+ (count == 8'd200)"}], ids=str
)
def test_fault_is_found_however_far_from_reset(fault):
    verilog = counter()
    compare(verilog, counter(), "counter")
    with pytest.raises(NotEquivalentError, match="^counter is not proven: ") as caught:
        compare(verilog, counter(**fault), "counter")
    assert "o" in caught.value.signals


def test_initial_value_does_not_stand_in_for_reset():
    """Of a register that reset leaves alone, equal only because it would be configured so."""
    lacks = (
        "module m(input clk, input rst, output reg o);\n{}always @(posedge clk) o <= o;\nendmodule"
    )
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(lacks.format(""), lacks.format("initial o = 0;\n"), "m")


def test_logic_without_a_clock_is_proven():
    text = "module m(input a, input b, output o);\nassign o = a {} b;\nendmodule"
    compare(text.format("&"), text.format("*"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(text.format("&"), text.format("|"), "m")


def test_nothing_to_compare_is_not_a_proof():
    with pytest.raises(ToolError, match="."):
        compare("module m(input a);\nendmodule", "module m(input a);\nendmodule", "m")


def test_error_of_yosys_is_told():
    with pytest.raises(ToolError, match=r"^Yosys failed: .*no_such_cell"):
        compare("module m(output o);\nno_such_cell c(o);\nendmodule", "", "m")


def test_target_without_models_is_refused():
    pattern = rf"^target must be one of {re.escape(repr(MODELLED))}, .*, not 'generic'$"
    with pytest.raises(ValueError, match=pattern):
        component_netlist(TernaryDot(length=1), "dot", "generic")
    with pytest.raises(ValueError, match=r"^target must be one of .*, not 'spartan'$"):
        component_netlist(TernaryDot(length=1), "dot", "spartan")
    with pytest.raises(ValueError, match=r"^name must be a Verilog identifier, not 'a-b'$"):
        prove(TernaryDot(length=1), "a-b", ECP5)
