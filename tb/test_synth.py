"""Small designs through the real place and route, and our counts against nextpnr's."""

import re

import pytest

from golden.config import ArrayConfig
from hdl.array.synapse_array import SynapseArray
from hdl.lib.dot import TernaryDot
from synth import flow
from synth.harness import Harness
from synth.targets import TARGETS, target

TINY = ArrayConfig(rows=2, cols=2, code_bits=2, draw_bits=8, counters=False)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_cells_that_count(name, tmp_path):
    array = flow.synthesise(SynapseArray(TINY), "array", target(name), tmp_path)
    assert array.area.lut4 > 20
    assert array.area.ff > 100
    assert not array.area.other


def test_ecp5_counts_are_those_of_nextpnr(tmp_path):
    """Distributed memories, carries and registers: the counts of nextpnr before it packs."""
    chip = target("ecp5-25k")
    array = flow.synthesise(Harness(SynapseArray(TINY)), "array", chip, tmp_path)
    log = flow._nextpnr(chip, array.netlist, "--pack-only")
    [luts] = re.findall(r"Total LUT4s: +(\d+)/", log)
    [ffs] = re.findall(r"Total DFFs: +(\d+)/", log)
    assert (array.area.lut4, array.area.ff) == (int(luts), int(ffs))
    taken = flow.packed(array, chip)
    # Carries that begin or end in logic get a cell more, none gets away.
    assert taken["TRELLIS_COMB"][0] + 2 * taken["TRELLIS_RAMW"][0] >= array.area.lut4
    assert taken["TRELLIS_FF"][0] == array.area.ff


def test_the_same_seed_gives_the_same_timing(tmp_path):
    chip = target("ice40hx8k")
    first = flow.timed(TernaryDot(length=9), "dot", chip, tmp_path / "a", seed=3, freq_mhz=50)
    again = flow.timed(TernaryDot(length=9), "dot", chip, tmp_path / "b", seed=3, freq_mhz=50)
    assert first == again
    assert 30 < first.fmax_mhz < 600
    assert first.path[0].kind == "clk-to-q"
    assert first.path[-1].kind == "setup"
    # The path's delays are the clock's period.
    period = sum(hop.delay_ns for hop in first.path)
    assert period == pytest.approx(1e3 / first.fmax_mhz, abs=0.05)


def test_a_design_too_large_is_told(tmp_path):
    """Sixty-four lanes' dot products are more than the smallest chip has pins for."""
    chip = target("ice40up5k")
    bare = flow.synthesise(TernaryDot(length=64), "dot", chip, tmp_path)
    with pytest.raises(flow.DoesNotFitError, match=r"^does not fit ice40up5k: .*SB_IO 266 of 39"):
        flow.place(bare, chip)
