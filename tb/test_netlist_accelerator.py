"""An accelerator's netlist after synthesis, on models of an ECP5's cells, against the twin."""

import re

import pytest

from golden.accel.config import THRESHOLD_BITS
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from hdl.accel.divider import Divider
from hdl.accel.requantise import Requantise
from hdl.accel.sequencer import Sequencer
from hdl.accel.totals import Totals
from hdl.bus.axi import AxiLite
from hdl.bus.uart import UartBridge
from sim import accelerator, library
from sim.accelerator import RtlAccelerator
from synth.accelerator import ACCELERATOR_NAME
from synth.generate import TOP_NAME, component_verilog
from synth.netlist import netlist
from synth.netlist.equivalence import prove
from synth.tools import ToolError
from tb.benches import mult_tb, uart_tb
from tb.runner import run_tb
from tb.test_accelerator import Case, around, train
from tb.test_array_tb import SEED
from tb.test_axi_tb import Registers
from tb.test_netlist import ECP5, ICE40, framed, shared_tables

pytestmark = pytest.mark.usefixtures("quick")
CASE = Case("3FC", (5,), 3, 4)
CONFIG = around(ArrayConfig(rows=2, draw_bits=8, code_bits=3, counters=False), 1, [CASE])
SIGNS = re.compile(r"\.SIGNEDA\(1'h(.)\),\s+\.SIGNEDB\(1'h(.)\)")


@pytest.mark.full
def test_training_equals_the_twin():
    verilog = netlist.netlist_verilog(CONFIG, ECP5)
    made = verilog[: verilog.index("endmodule")]
    assert set(SIGNS.findall(made)) >= {("0", "0"), ("1", "1")}, "of both signs"
    assert len(re.findall(r"^  MULT18X18D ", made, re.M)) > 10
    # The program's memory, and a block RAM a lane.
    assert len(re.findall(r"^  DP16KD ", made, re.M)) == 1 + CONFIG.array.rows
    assert shared_tables(made) == CONFIG.array.rows
    path = library.build_with(
        verilog, ACCELERATOR_NAME, "Vaccelerator", accelerator._DRIVER, "netlist"
    )
    block = LockstepAccelerator(GoldenAccelerator(CONFIG), RtlAccelerator(CONFIG, path))
    train(block, CASE)
    assert block.compared > 2000


def test_multiplier_of_an_ecp5(tmp_path):
    """Ours is the model of it, so it is tested with operands of all signs."""
    made = component_verilog(mult_tb.Multipliers(), "multipliers")
    text = netlist.with_models(made, ECP5)
    run_tb(text, "tb.benches.mult_tb", tmp_path, tests=1, seed=SEED, top="multipliers")


CELL = "module top;\n  {cell} #({parameters}) cell_i ();\nendmodule\n"
STAGES = ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")
REFUSED = {
    "MULT18X18D": [
        *(f'.REG_{stage}_CLK("CLK0")' for stage in STAGES),
        '.MULT_BYPASS("ENABLED")',
        '.RESETMODE("ASYNC")',  # which only registers have
    ],
    "DP16KD": [
        ".DATA_WIDTH_A(3)", ".DATA_WIDTH_B(3)", ".DATA_WIDTH_A(36)", ".DATA_WIDTH_B(36)",
        '.REGMODE_A("INREG")', '.REGMODE_B("INREG")', '.RESETMODE("NONE")',
        '.ASYNC_RESET_RELEASE("NONE")', '.CSDECODE_A("0b001")', '.CSDECODE_B("0b001")',
        '.WRITEMODE_A("OTHER")', '.WRITEMODE_B("OTHER")', '.CLKAMUX("CLKB")', '.CLKBMUX("CLKA")',
        '.GSR("ENABLED")',
    ],
}  # fmt: skip
TAKEN = {
    "MULT18X18D": ["", '.REG_OUTPUT_CLK("NONE")'],
    "DP16KD": [
        "", ".DATA_WIDTH_A(36), .DATA_WIDTH_B(36)", ".DATA_WIDTH_A(9), .DATA_WIDTH_B(1)",
        '.REGMODE_A("OUTREG"), .RESETMODE("ASYNC"), .ASYNC_RESET_RELEASE("ASYNC")',
        '.WRITEMODE_A("WRITETHROUGH"), .WRITEMODE_B("READBEFOREWRITE")',
        '.CLKAMUX("INV"), .CLKBMUX("INV"), .GSR("DISABLED")',
    ],
}  # fmt: skip


@pytest.mark.parametrize("cell", REFUSED)
def test_modes_without_a_model_are_refused(cell, toolchain, tmp_path):
    def lint(parameters):
        text = netlist.with_models(CELL.format(cell=cell, parameters=parameters), ECP5)
        (tmp_path / "top.v").write_text(text)
        toolchain.run("--lint-only", "-Wno-lint", "--top-module", "top", str(tmp_path / "top.v"))

    for parameters in TAKEN[cell]:
        lint(parameters)
    for parameters in REFUSED[cell]:
        with pytest.raises(ToolError, match=r"without_a_model|[Pp]arameter not found"):
            lint(parameters)


# What multiplies is left to simulation, see docs/netlist.md.
BLOCKS = {
    "divider": lambda: Divider(THRESHOLD_BITS),
    "requantise": lambda: Requantise(CONFIG),
    "totals": lambda: Totals(CONFIG),
    "sequencer": lambda: Sequencer(CONFIG),
    "axi": AxiLite,
}


@pytest.mark.parametrize(
    ("target", "block"),
    [
        *((ECP5, block) for block in BLOCKS),
        *(pytest.param(ICE40, block, marks=pytest.mark.full) for block in BLOCKS),
    ],
)
def test_netlist_is_proven(block, target):
    prove(BLOCKS[block](), "block", target)


def test_serial_line(tmp_path):
    """The other front end, that of a bitstream, with the registers behind it."""
    bridge = UartBridge(uart_tb.DIVISOR, pause_bits=uart_tb.PAUSE_BITS)
    made = netlist.component_netlist(Registers(bridge), TOP_NAME, ECP5)
    text = framed(netlist.with_models(made, ECP5))
    run_tb(text, "tb.benches.uart_tb", tmp_path, tests=uart_tb.TESTS, seed=SEED)
