"""The benches notice a broken array: each fault of ``tb.models.faulty`` makes them fail."""

import re

import pytest

from golden.array.frames import OVERHEAD
from golden.array.lockstep import Mismatch
from sim import library
from synth.generate import TOP_NAME, FlatArray, component_verilog
from tb import tiny
from tb.benches import array_tb
from tb.benches.array_bench import variables
from tb.models import faulty
from tb.runner import run_tb

pytestmark = pytest.mark.usefixtures("quick")
# The message of the lock-step run for each fault, and a cocotb test that fails, if any.
SEEN = {
    "flipped sign": (
        r"column sum differs at layer layer1, sample \d+, column \d+: expected -?\d+, got -?\d+",
        "every_command_back_to_back",
    ),
    "stuck bit": (
        rf"column sum differs at layer layer1, sample \d+, column {faulty.COLUMN}: "
        r"expected -?\d+, got -?\d+",
        None,
    ),
    "wrong tap": (r"cells switched differs at layer layer\d, ", None),
    "wrong sign backward": (
        r"row sum differs at layer layer2, sample \d+, row \d+: expected -?\d+, got -?\d+",
        None,
    ),
    "crossed variants": (None, "every_command_back_to_back"),  # training leaves all of variant 0
    "lost count": (
        r"activity counter forward_drives differs at array \d+: expected \d+, got \d+",
        None,
    ),
    "a cycle late": (
        f"load_table cycle count differs: expected {96 + OVERHEAD}, got {97 + OVERHEAD}",
        "stalled=False",
    ),
    "lost words": (None, "stalled=True"),  # the library never stalls
}


def test_every_fault_is_in_the_verilog():
    assert SEEN.keys() == faulty.FAULTS.keys()
    sound = component_verilog(FlatArray(faulty.CONFIG), TOP_NAME)
    texts = {sound, *(faulty.verilog(fault) for fault in faulty.FAULTS)}
    assert len(texts) == 1 + len(faulty.FAULTS)


@pytest.mark.parametrize("fault", [fault for fault, (sign, _) in SEEN.items() if sign])
def test_lock_step_training_stops(fault):
    path = library.build(faulty.CONFIG, faulty.verilog(fault))
    with pytest.raises(Mismatch) as caught:
        tiny.trainer(
            tiny.training(network="5FC", epochs=2),
            faulty.CONFIG,
            tiny.split(6),
            lambda config: tiny.lockstep(config, path),
        ).run()
    assert re.search(SEEN[fault][0], str(caught.value)), str(caught.value)
    assert caught.value.expected != caught.value.got


def test_stuck_bit_is_named_by_its_place():
    array = tiny.lockstep(faulty.CONFIG, library.build(faulty.CONFIG, faulty.verilog("stuck bit")))
    shape = (faulty.CONFIG.cols, faulty.CONFIG.rows, faulty.CONFIG.cells)
    array.program([[[1] * shape[2]] * shape[1]] * shape[0])
    with pytest.raises(Mismatch) as caught:
        array.read()
    assert caught.value.where == {"column": faulty.COLUMN, "row": faulty.ROW, "cell": 0}
    assert (caught.value.expected, caught.value.got) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=[pytest.mark.full] if sign else [])  # seen above, too
        for fault, (sign, failed) in SEEN.items()
        if failed
    ],
)
def test_bench_fails(fault, tmp_path):
    with pytest.raises(AssertionError, match="tests failed") as caught:
        run_tb(
            faulty.verilog(fault),
            "tb.benches.array_tb",
            tmp_path,
            tests=array_tb.TESTS,
            seed=1,
            environment=variables(faulty.CONFIG, 40),
        )
    assert SEEN[fault][1] in str(caught.value)
