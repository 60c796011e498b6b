"""Netlists after synthesis, on models of an FPGA's cells, against the golden model."""

import re
from functools import cache
from typing import Any

import pytest

from golden.config import ArrayConfig
from hdl.array.lane import Lane
from hdl.array.lfsr import Lfsr
from hdl.lib.accumulator import RowAccumulator
from hdl.lib.dot import TernaryDot
from sim import library
from synth.generate import TOP_NAME, component_verilog
from synth.netlist import netlist
from synth.netlist.equivalence import prove
from tb import tiny
from tb.benches import array_tb, memory_tb
from tb.benches.array_bench import variables
from tb.runner import run_tb
from tb.test_array_tb import SEED
from tb.test_library import exercise

pytestmark = pytest.mark.usefixtures("quick")
ECP5, ICE40 = "ecp5-25k", "ice40hx8k"
FLAGS = re.MULTILINE | re.DOTALL
BLOCK_RAM = {ECP5: "DP16KD", ICE40: "SB_RAM40_4K"}
# Columns enough that the cells are in a block RAM; no counters, which are most of a small array.
TRAINED = ArrayConfig(
    rows=8, cols=256, columns_per_cycle=2, draw_bits=8, error_bits=4, counters=False
)
ARRAYS = {
    "ternary": (TRAINED, ECP5),
    "binary": (
        ArrayConfig(rows=2, cols=4, synapse="binary", draw_bits=8, error_bits=3, code_bits=2,
                    variant_bits=1),
        ECP5,
    ),
    "ice40": (
        ArrayConfig(rows=4, cols=32, draw_bits=8, error_bits=4, code_bits=3, counters=False),
        ICE40,
    ),
}  # fmt: skip
BENCHES = [
    (ArrayConfig(rows=3, cols=8, columns_per_cycle=2, draw_bits=8, error_bits=4, code_bits=3,
                 variant_bits=1, counters=False), ECP5),
    (ArrayConfig(rows=2, cols=32, draw_bits=8, error_bits=3, code_bits=2, counters=False), ICE40),
]  # fmt: skip


@cache
def text(config, target):
    return netlist.netlist_verilog(config, target)


@pytest.mark.parametrize(
    "name",
    ["ternary", *(pytest.param(name, marks=pytest.mark.full) for name in ("binary", "ice40"))],
)
def test_netlist_equals_golden(name, tmp_path):
    config, target = ARRAYS[name]
    verilog = text(config, target)
    made = verilog[: verilog.index("endmodule")]
    if name != "binary":
        assert re.search(rf"^  {BLOCK_RAM[target]} #\(", made, re.M), "cells are in a block RAM"
    if target == ECP5:  # what of the netlist is ours: synth.passes.pairs and synth.passes.copies
        assert shared_tables(made) == config.rows
        assert made.count("  DP16KD #(") == config.rows + (name != "binary")
        assert re.search(r"^  \) \\\S+_copy1 ", made, re.M)
    path = library.build(config, verilog)
    exercise(tiny.lockstep(config, path))
    if config is TRAINED:  # not a test of its own, which might compile the same at the same time
        for rule in ("exact", "blind"):
            train(rule, path, tmp_path / rule)


def shared_tables(made):
    """How many block RAMs hold the two tables of a lane: port B is on the upper half of the words,
    and writes."""
    count = 0
    for name, body in re.findall(r"^  DP16KD #\(.*?^  \) (\S+)\s+\((.*?)^  \);", made, FLAGS):
        count += "table_" in name and ".ADB13(1'h1)" in body and ".WEB(1'h0)" not in body
    return count


def train(rule, path, folder):
    """A network on golden arrays, and on golden arrays in lock step with netlists."""
    training, split = tiny.training(rule=rule, epochs=2), tiny.split()
    expected = tiny.trainer(training, TRAINED, split, out=folder / "golden").run()
    both = tiny.trainer(
        training, TRAINED, split, lambda config: tiny.lockstep(config, path), folder / "both"
    )
    assert both.run() == expected
    assert expected.cells_switched > 20
    for array in both.bank.arrays:
        array.verify()
        assert array.reference.counters.cycles == array.other.counters.cycles > 1000


@pytest.mark.full
@pytest.mark.parametrize(("config", "target"), BENCHES, ids=[ECP5, ICE40])
def test_bench_on_the_netlist(config, target, tmp_path):
    run_tb(
        framed(text(config, target)),
        "tb.benches.array_tb",
        tmp_path,
        tests=array_tb.TESTS,
        seed=SEED,
        environment=variables(config, 50),
    )


def framed(verilog):
    """The netlist within a module of its name and ports: the bench makes all signals of the top
    public, and a netlist has thousands."""
    inner = f"{TOP_NAME}_netlist"
    ports = re.search(rf"^module {TOP_NAME}\((.*?)\);", verilog, re.M | re.S)[1]
    declared = re.findall(r"^  (?:in|out)put .*;$", verilog[: verilog.index("endmodule")], re.M)
    lines = [f"module {TOP_NAME}({ports});", *declared]
    lines += [
        f"  {inner} netlist (",
        *(f"    .{p.strip()}({p.strip()})," for p in ports.split(",")),
    ]
    frame = "\n".join(lines).removesuffix(",") + "\n  );\nendmodule\n"
    return verilog.replace(f"module {TOP_NAME}(", f"module {inner}(", 1) + frame


LANE: dict[str, Any] = {"rows": 1, "cols": 1}
STATES = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
# fmt: off
BLOCKS = {
    "dot": lambda: TernaryDot(length=16),
    "accumulator": lambda: RowAccumulator(columns=2, error_bits=8, sum_bits=13),
    "lane": lambda: Lane(ArrayConfig(**LANE, variant_bits=2), init=STATES),
    "lane-binary": lambda: Lane(ArrayConfig(**LANE, synapse="binary"), init=STATES[:1]),
    "lfsr-16": lambda: Lfsr(draw_bits=16, init=STATES[0]),
    "lfsr-32": lambda: Lfsr(draw_bits=32, init=STATES[0]),
}
# fmt: on


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("target", [ECP5, ICE40])
def test_netlist_is_proven(block, target):
    prove(BLOCKS[block](), "block", target)


# The clock comes up high with some seeds.
@pytest.mark.parametrize(
    "seeds", [(1, 2), pytest.param((3, 4, 5, 6), marks=pytest.mark.full)], ids=["few", "more"]
)
@pytest.mark.parametrize("registered", [False, True])
def test_block_ram_of_an_ecp5(registered, seeds, tmp_path):
    """Ours is the model of it, so it is tested in every width that Yosys makes use of."""
    made = netlist.component_netlist(memory_tb.Memories(registered), "memories", ECP5)
    widths = re.findall(r"\.DATA_WIDTH_B\(32'd(\d+)\)", made)
    assert sorted(map(int, widths)) == sorted(memory_tb.WIDTHS)
    assert ('"OUTREG"' in made) == registered
    assert ("TRELLIS_FF" in made) != registered
    verilog = netlist.with_models(made, ECP5)
    for seed in seeds:
        run_tb(
            verilog,
            "tb.benches.memory_tb",
            tmp_path / str(seed),
            tests=1,
            seed=seed,
            top="memories",
            environment={"REGISTERED": str(int(registered))},
            testcase="memories_hold_what_is_written",
        )


def test_reset_that_the_block_ram_has_no_model_of(tmp_path):
    made = netlist.with_models(component_verilog(memory_tb.ResetRegisters(), "registers"), ECP5)
    run_tb(
        made,
        "tb.benches.memory_tb",
        tmp_path,
        tests=1,
        seed=SEED,
        top="registers",
        testcase="reset_of_an_output_register_comes_out_wrong",
    )
