"""Icarus Verilog as a second simulator: an array that starts at X gives the golden answers."""

import numpy as np
import pytest

from golden import protocol
from golden.config import ArrayConfig
from golden.protocol import TRAILER, Cause
from synth.generate import array_verilog
from tb.array_model import ArrayModel
from tb.array_stimulus import Stimulus
from tb.icarus import answers
from tb.test_array_tb import named

CONFIGS = [
    ArrayConfig(rows=5, cols=6, columns_per_cycle=2, draw_bits=8, code_bits=3, variant_bits=1),
    ArrayConfig(rows=4, cols=5, synapse="binary", draw_bits=8, code_bits=2, error_bits=4),
]


@pytest.mark.parametrize("stalled", [False, True], ids=["flowing", "stalled"])
@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_an_array_of_unknown_state_gives_the_golden_answers(config, stalled, icarus, tmp_path):
    stimulus = Stimulus(config, np.random.default_rng(7))
    frames, causes = stimulus.sequence(40), {}
    for cause, frame in stimulus.malformed():
        causes[len(frames)] = cause
        frames += [frame, stimulus.status()]
    frames += stimulus.epilogue()
    model = ArrayModel(config)
    expected = [model.answer(frame) for frame in frames]
    heard = answers(array_verilog(config), config, frames, tmp_path, stalled=stalled)
    for i, (want, got) in enumerate(zip(expected, heard, strict=True)):
        assert got.words == want.words, want.what
        if not stalled:  # otherwise a later frame's cause may be there before this trailer is taken
            assert got.cause == want.cause, want.what
            assert want.cycles in (None, got.end - got.start + 1), want.what
        if i in causes:
            assert protocol.field(TRAILER, "cause", got.words[-1]) == causes[i], want.what
    assert {*causes.values()} == {*Cause} - {Cause.NONE}


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_cells_come_up_with_given_values(config, icarus, tmp_path):
    bits = np.random.default_rng(8).integers(0, 2, (config.cols, config.rows, config.cells))
    planes = bits.swapaxes(1, 2).reshape(config.cols // config.columns_per_cycle, -1)
    init = [int("".join(map(str, word[::-1])), 2) for word in planes.tolist()]
    model = ArrayModel(config)
    model.array.program(bits)
    frame = Stimulus(config, np.random.default_rng(9)).read(0, config.cols)
    verilog = array_verilog(config, init=init)
    (heard,) = answers(verilog, config, [frame], tmp_path, power_up=True)
    assert heard.words == model.answer(frame).words
