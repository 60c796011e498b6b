"""The Verilated library: against the golden array."""

import numpy as np
import pytest

from golden.array import frames, lfsr
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable, tanh_table
from sim.array import RtlArray
from tb import tiny
from tb.benches.array_stimulus import Stimulus
from tb.test_array_tb import named

pytestmark = pytest.mark.usefixtures("quick")
SMALL = ArrayConfig(rows=2, cols=2, code_bits=2, draw_bits=8)
CONFIGS = [
    ArrayConfig(rows=8, cols=8),
    ArrayConfig(rows=1, cols=1),
    ArrayConfig(rows=33, cols=10, draw_bits=32, error_bits=16),
    ArrayConfig(rows=7, cols=12, synapse="binary", columns_per_cycle=4, code_bits=7),
    ArrayConfig(rows=19, cols=6, columns_per_cycle=2, draw_bits=8, error_bits=2, code_bits=3),
    ArrayConfig(rows=1, cols=5, synapse="binary", draw_bits=32, error_bits=3, code_bits=2),
    ArrayConfig(rows=8, cols=6, columns_per_cycle=2, code_bits=4, variant_bits=2),
    ArrayConfig(rows=5, cols=4, synapse="binary", variant_bits=4, code_bits=3, counters=False),
]
LARGE = CONFIGS[2], CONFIGS[4]  # left to make test-full


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(config, marks=[pytest.mark.full] if config in LARGE else [])
        for config in CONFIGS
    ],
    ids=named,
)
def test_library_equals_golden(config):
    exercise(tiny.lockstep(config))


def exercise(array):
    """Every command on random data, of two arrays side by side that have just been made."""
    config = array.config
    rng = np.random.default_rng(config.rows)
    array.verify()  # power-up: cells in AP, first streams of seed 0
    array.load_table(random_table(config, rng))
    shape = (config.cols, config.rows)
    array.program(rng.integers(0, 2, (*shape, config.cells)))
    for round_ in range(20):
        first, count = Stimulus(config, rng)._range(config.cols, config.columns_per_cycle)
        batch = int(rng.integers(1, 5))
        array.forward(rng.integers(-1, 2, (batch, config.rows)), first, count)
        array.backward(
            rng.integers(-config.max_error - 1, config.max_error + 1, (batch, count)), first
        )
        sign = rng.choice([-1, 1], (count, config.rows))
        kappa = sign * rng.integers(0, config.max_kappa + 1, sign.shape) * rng.integers(0, 2)
        code = sign * rng.integers(0, config.codes, sign.shape)
        array.update(kappa, code, first, blind=bool(round_ % 2))
        ageing = rng.integers(0, 1 << config.draw_bits, (config.switching_variants, 2))
        array.age(ageing // 4, first, count)
        array.read(first, count)
        if round_ % 5 == 0:
            array.seed(round_, 7)
            array.load_table(random_table(config, rng) if round_ else tanh_table(config))
            array.program(rng.integers(0, 2, (count, config.rows, config.cells)), first)
            if config.variant_bits:
                shape = count, config.rows, config.cells
                array.load_variants(rng.integers(0, config.variants, shape), first)
    array.verify()
    assert array.reference.counters.cycles == array.other.counters.cycles
    assert array.compared > 100


def random_table(config, rng):
    codes, top = config.codes, 1 << config.draw_bits
    thresholds = np.sort(rng.integers(0, top + 1, (config.variants, codes, 2)), axis=1)
    thresholds[:, 0], thresholds[:, -1] = 0, top
    ticks = rng.integers(0, 1 << 16, (codes, 2))
    ticks[0] = 0
    return ProbabilityTable(thresholds[0], ticks, 1e-12, config.draw_bits, variants=thresholds)


def test_two_arrays_of_one_library_are_independent():
    one, two = RtlArray(SMALL), RtlArray(SMALL)
    one.program(np.ones((2, 2, 2), np.uint8))
    one.seed(3)
    assert not two.read().any()
    states = lfsr.stream_states(0, 0, 4).reshape(2, 2)
    assert (two.generators() == states).all()
    assert one.read().all()
    cycles = two.counters.cycles
    one.forward(np.ones((4, 2), np.int8))
    assert two.counters.cycles == cycles


def test_malformed_frames_give_their_cause_and_the_array_goes_on():
    array, golden = RtlArray(SMALL), GoldenArray(SMALL)
    rng = np.random.default_rng(8)
    stimulus = Stimulus(SMALL, rng)
    width = frames.data_bits(SMALL)
    status = frames.frame(SMALL, frames.control(HEADER, op=Op.STATUS))
    bits, u = rng.integers(0, 2, (2, 2, 2)), rng.integers(-1, 2, (3, 2))
    seen = set()
    for cause, frame in stimulus.malformed():
        words = frames.from_integers(frame, width)
        _, trailer = array.command(words, 300)
        assert frames.field(TRAILER, "cause", trailer) == cause
        if cause is not Cause.NONE:
            with pytest.raises(RuntimeError, match=rf"error {cause.name} "):
                array.read()
        _, trailer = array.command(status, 0)
        assert frames.field(TRAILER, "cause", trailer) == Cause.NONE  # read has cleared it
        for each in (array, golden):
            each.program(bits)
        assert (array.forward(u) == golden.forward(u)).all()
        seen.add(cause)
    assert seen == set(Cause) - {Cause.NONE}


def test_error_does_not_stick_to_later_commands():
    array = RtlArray(SMALL)
    frame = frames.frame(SMALL, frames.control(HEADER, op=15))
    with pytest.raises(RuntimeError, match=r"^the array answered with error OPCODE "):
        array._run(frame)
    assert not array.read().any()


def test_answer_longer_than_the_room_for_it_is_an_error():
    frame = frames.read_frame(SMALL, 0, 2)
    with pytest.raises(RuntimeError, match="no answer or too long a one"):
        RtlArray(SMALL).command(frame, 0)
