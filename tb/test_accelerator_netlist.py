"""What synthesis leaves of the accelerator, on models of an ECP5's cells: held to its twin."""

import re

from golden.accel.lockstep import LockstepAccelerator
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from sim import library
from sim.accelerator import RtlAccelerator, build
from synth import netlist
from tb import product_tb
from tb.runner import run_tb
from tb.test_accelerator import Case, around, train
from tb.test_array_tb import SEED

ECP5 = "ecp5-25k"
CASE = Case("3FC", (4,), 2, 3)
ARRAY = ArrayConfig(rows=2, draw_bits=8, code_bits=2, counters=False)


def test_training_on_the_netlist_equals_the_twin(monkeypatch):
    """A minute and a half, most of it the compiler's."""
    flags = [*library._FLAGS, "-MAKEFLAGS", "OPT_FAST=-O0"]
    monkeypatch.setattr(library, "_FLAGS", flags)
    config = around(ARRAY, 1, [CASE])
    verilog = netlist.accelerator_netlist(config, ECP5)
    for cell in ("MULT18X18D", "DP16KD #(", "TRELLIS_DPR16X4 #(", "CCU2C #("):
        assert f"\n  {cell}" in verilog, f"no {cell} is tested"
    assert re.search(r"_copy\d+ +\(", verilog), "no copied cell is tested"
    path = build(config, verilog)
    train(LockstepAccelerator(GoldenAccelerator(config), RtlAccelerator(config, path)), CASE)


def test_multipliers_of_an_ecp5(tmp_path):
    """Ours is the model of them."""
    made = netlist.component_netlist(product_tb.Products(), "products", ECP5)
    assert made.count("\n  MULT18X18D ") == len(product_tb.SIGNS)
    run_tb(
        netlist.with_models(made, ECP5),
        "tb.product_tb",
        tmp_path,
        tests=1,
        seed=SEED,
        top="products",
    )
