# amaranth: UnusedElaboratable=no
"""Netlists proven to do what the Verilog does, and faults that a proof has to find."""

import re

import pytest

from golden.config import ArrayConfig
from hdl.array.lane import Lane
from hdl.array.lfsr import Lfsr
from hdl.lib.accumulator import RowAccumulator
from hdl.lib.dot import TernaryDot
from synth.generate import component_verilog
from synth.netlist.equivalence import NotEquivalentError, compare, prove
from synth.netlist.netlist import MODELLED, component_netlist, share, with_models
from synth.passes.memories import without_memories
from synth.tools import MissingToolError, ToolError

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


def test_faulty_table_of_a_lut_is_found():
    verilog = component_verilog(TernaryDot(length=3), "dot")
    netlist = component_netlist(TernaryDot(length=3), "dot", ECP5)
    tables = [*re.finditer(r"\.INIT\(16'h([0-9a-f]{4})\)", netlist)]
    assert len(tables) > 5
    for table in tables[::3]:
        wrong = f"{int(table[1], 16) ^ 0xFFFF:04x}"
        broken = netlist[: table.start(1)] + wrong + netlist[table.end(1) :]
        with pytest.raises(NotEquivalentError, match=r"^dot is not proven: \w") as caught:
            compare(verilog, with_models(broken, ECP5), "dot")
        for signal in caught.value.signals:
            assert re.search(
                rf"^ +(reg|output) .*\b{re.escape(signal.split('[')[0])};", verilog, re.M
            )


def test_register_that_resets_to_another_value_is_found():
    verilog = component_verilog(BLOCKS["lfsr"](), "lfsr")
    netlist = component_netlist(BLOCKS["lfsr"](), "lfsr", ECP5)
    broken = netlist.replace('.REGSET("RESET")', '.REGSET("SET")', 1)
    assert broken != netlist
    with pytest.raises(NotEquivalentError, match=r"^lfsr is not proven: (draw|state)\b"):
        compare(verilog, with_models(broken, ECP5), "lfsr")


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
    with pytest.raises(NotEquivalentError, match=r"^counter is not proven: ") as caught:
        compare(verilog, counter(**fault), "counter")
    assert "o" in caught.value.signals


def test_initial_value_does_not_stand_in_for_reset():
    """Of a register that reset leaves alone, equal only if it comes up so."""
    text = """module m(input clk, input rst,
    input d, input en, output reg o);
    {}
    always @(posedge clk) if (en) o <= d & ~rst;
    endmodule"""
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(text.format(""), text.format("initial o = 0;"), "m")
    reset = text.replace("if (en)", "if (en | rst)")
    compare(reset.format(""), reset.format("initial o = 1;"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(reset.format(""), text.format("initial o = 0;").replace("& ~rst", ""), "m")


def test_register_that_reset_does_not_reach_is_taken_to_start_equal():
    text = """module m(input clk, input rst,
    input d, input en, output reg o);
    always @(posedge clk) if (en) o <= {};
    endmodule"""
    compare(text.format("d"), text.format("d ^ 0"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(text.format("d"), text.format("d & ~rst"), "m")


@pytest.mark.parametrize("value", ["1'bx", "nothing"])
def test_what_a_netlist_leaves_open_is_no_value(value):
    text = "module m(output o);\nwire nothing;\nassign o = {};\nendmodule"
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(text.format("1'b0"), text.format(value), "m")


MEMORY = """
module m(input clk,
    input rst,
    input en, input [1:0] row, input [2:0] data, output reg [2:0] o);
    reg [2:0] words [3:0];
    always @(posedge clk) begin
        if (en) words[row] <= data;
        o <= words[row] {more};
    end
endmodule"""


def test_memories_become_ports():
    """What was read is an input like any other; what was given is held to the Verilog's."""
    opened = without_memories(MEMORY.format(more="+ 1"), "m")
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", opened, re.M)
    new = {port: (way, int(high or 0) + 1) for way, high, port in ports if "words" in port}
    assert new == {
        "words_RD_ADDR": ("output", 2),
        "words_RD_DATA": ("input", 3),
        "words_RD_EN": ("output", 1),
        "words_WR_ADDR": ("output", 2),
        "words_WR_DATA": ("output", 3),
        "words_WR_EN": ("output", 3),
    }
    compare(opened, without_memories(MEMORY.format(more="- 7"), "m"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o"):
        compare(opened, without_memories(MEMORY.format(more="+ 2"), "m"), "m")
    other = without_memories(MEMORY.replace("if (en)", "if (~en)").format(more="+ 1"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: words_WR_EN may differ$"):
        compare(opened, other, "m")


def test_design_without_memories_is_left():
    verilog = component_verilog(TernaryDot(length=1), "dot")
    assert without_memories(verilog, "dot") is verilog


def test_logic_without_a_clock_is_proven():
    text = "module m(input a, input b, output o);\nassign o = a {} b;\nendmodule"
    compare(text.format("&"), text.format("*"), "m")
    with pytest.raises(NotEquivalentError, match=r"^m is not proven: o may differ$"):
        compare(text.format("&"), text.format("|"), "m")


def test_nothing_to_compare_is_not_a_proof():
    with pytest.raises(ToolError, match=r"."):
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


def test_missing_data_files_of_yosys_are_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"^no data files of Yosys: pip install "):
        share()
