"""Icarus Verilog as a second simulator: array and accelerator start at X, are reset for one clock,
and give the golden answers."""

import functools
import re

import numpy as np
import pytest

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.driver import AcceleratorDriver
from golden.accel.interface import Space
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.array.controller import GoldenController
from golden.array.frames import TRAILER, Cause, field
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from synth.accelerator import accelerator_verilog
from synth.generate import array_verilog
from tb.benches.array_stimulus import Stimulus
from tb.icarus import answers
from tb.icarus_accelerator import IcarusTransport
from tb.test_array_tb import named

CONFIGS = [
    ArrayConfig(rows=5, cols=6, columns_per_cycle=2, draw_bits=8, code_bits=3, variant_bits=1),
    ArrayConfig(rows=4, cols=5, synapse="binary", draw_bits=8, code_bits=2, error_bits=4),
]

cached_verilog = functools.cache(array_verilog)


@pytest.mark.parametrize("stalled", [False, True], ids=["flowing", "stalled"])
@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_an_array_of_unknown_state_gives_the_golden_answers(config, stalled, icarus, tmp_path):
    stimulus = Stimulus(config, np.random.default_rng(7))
    frames, causes = stimulus.sequence(40), {}
    for cause, frame in stimulus.malformed():
        causes[len(frames)] = cause
        frames += [frame, stimulus.status()]
    frames += stimulus.epilogue()
    model = GoldenController(config)
    expected = [model.answer(frame) for frame in frames]
    heard = answers(cached_verilog(config), config, frames, tmp_path, stalled=stalled)
    for i, (want, got) in enumerate(zip(expected, heard, strict=True)):
        assert got.words == want.words, want.what
        if not stalled:  # otherwise a later frame's cause may be there before this trailer is taken
            assert got.cause == want.cause, want.what
            assert want.cycles in (None, got.end - got.start + 1), want.what
        if i in causes:
            assert field(TRAILER, "cause", got.words[-1]) == causes[i], want.what
    assert {*causes.values()} == {*Cause} - {Cause.NONE}


@pytest.mark.parametrize("register", ["columns_read", "state"])  # a counter, a generator
def test_a_missing_reset_shows_as_x(register, icarus, tmp_path):
    verilog = cached_verilog(CONFIGS[0])
    spoilt = re.sub(rf"if \(\w+\) {register} <= .*?;\s+else ", "", verilog, count=1)
    assert spoilt != verilog
    stimulus = Stimulus(CONFIGS[0], np.random.default_rng(7))
    frames = [*stimulus.prologue(), *stimulus.epilogue()]
    assert len(answers(verilog, CONFIGS[0], frames, tmp_path)) == len(frames)
    with pytest.raises(AssertionError, match=r"^X in cycle \d+: out"):
        answers(spoilt, CONFIGS[0], frames, tmp_path)


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_cells_come_up_with_given_values(config, icarus, tmp_path):
    bits = np.random.default_rng(8).integers(0, 2, (config.cols, config.rows, config.cells))
    planes = bits.swapaxes(1, 2).reshape(config.cols // config.columns_per_cycle, -1)
    init = [int("".join(map(str, word[::-1])), 2) for word in planes.tolist()]
    model = GoldenController(config)
    model.array.program(bits)
    frame = Stimulus(config, np.random.default_rng(9)).read(0, config.cols)
    verilog = array_verilog(config, init=init)
    (heard,) = answers(verilog, config, [frame], tmp_path, power_up=True)
    assert heard.words == model.answer(frame).words


def test_an_accelerator_of_unknown_state_equals_the_twin(icarus, tmp_path):
    """A step of training and a prediction; every memory word, cell, generator and counter."""
    blocks, shape, batch = [*notation.parse("5FC"), Block(3)], (6,), 3
    config = sized(blocks, shape, ArrayConfig(rows=4, code_bits=2, draw_bits=8), 2, batch)
    rng = np.random.default_rng(4)
    with IcarusTransport(accelerator_verilog(config), tmp_path) as transport:
        twin, driver = GoldenAccelerator(config), AcceleratorDriver(config, transport)
        block = LockstepAccelerator(twin, driver)
        for space in Space:  # what memories come up with is not defined
            if space not in (Space.RESULTS, Space.GENERATORS):
                words, dimensions, low, high = block.layout(space)
                low, high = (
                    (0, 1) if space is Space.THRESHOLDS else (max(low, -128), min(high, 127))
                )
                block.write(space, rng.integers(low, high + 1, (words, *dimensions)))
        for n in range(config.tiles):
            block.tile(n).program(rng.integers(0, 2, block.tile(n).shape))
        plan = Plan(blocks, shape, config, batch, Settings())
        network = ChipNetwork(block, plan, tanh_table(config.array), 3)
        network.initialise(rng, 0.5)
        u, labels = rng.integers(-1, 2, (batch, *shape)), rng.integers(0, 3, batch)
        assert network.train_step(u, labels, 0.4).switched
        network.predict(u)
        block.verify()
    assert block.compared > 500
