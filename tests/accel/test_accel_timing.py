"""Cycles by hand, and each thing that an instruction must not do."""

from dataclasses import replace

import pytest

from golden.accel.config import AcceleratorConfig
from golden.accel.interface import ProgramError, Space
from golden.accel.program import WORDS, Code, Instruction, assemble
from golden.accel.timing import FETCH, Cycles, cycles, problem
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig

CONFIG = AcceleratorConfig(
    array=ArrayConfig(rows=4, cols=40), tiles=2, activation_words=60, error_words=50, positions=12,
    threshold_words=6, program_words=62,
)  # fmt: skip
# A convolution of 2 x 2 over 5 x 5 inputs of a word, of which 4 x 4 outputs are pooled to 2 x 2, of
# two words each: 8 outputs in 4 groups on 2 tiles, on a batch of 2. Its errors go back to 5 x 2
# inputs alone.
BATCH = 2
CONV = Instruction(
    pool=1, cells=2, groups=4, columns=8, tap_row=16, tap_pixel=8, positions=8,
    in_base=1, in_sample=25, in_row=5, in_pixel=1, out_base=9, out_sample=8, out_row=4, out_pixel=2,
    errors=20, error_sample=8, error_row=4, in_errors=0, thresholds=1, height=2, width=2,
    kernel_height=2, kernel_width=2, in_height=5, in_width=2,
)  # fmt: skip
FORWARD, BACKWARD, UPDATE = (replace(CONV, code=c) for c in list(Code)[1:])


def test_forward_by_hand():
    """8 positions, 4 places and 4 words: 128 cycles a column group, and what comes behind."""
    # The tiles are always the slower: 4 x 128, then the pipeline's 9, then the last column.
    assert cycles(FORWARD, BATCH, CONFIG) == Cycles(22, 4 * 128 + 9 + (8 + 6) + 7, 512)
    train = replace(FORWARD, train=1)
    assert cycles(train, BATCH, CONFIG) == Cycles(22, 4 * 128 + 9 + (2 * 8 + 19) + 7, 512)
    score = replace(train, score=1)
    assert cycles(score, BATCH, CONFIG) == Cycles(22, 4 * 128 + 9 + (2 * 8 + 47) + 7, 512)
    assert cycles(replace(score, train=0), BATCH, CONFIG) == cycles(FORWARD, BATCH, CONFIG)


def test_forward_waits_for_its_columns():
    """One word a position: the statistics take longer than the sums, and two columns may wait."""
    step = Instruction(code=Code.FORWARD, train=1, groups=3, columns=3, positions=8)
    # Each column is 8 cycles on the tiles and 35 behind them: the first begins at 1, and each
    # is through 35 after the one before.
    assert cycles(step, 8, CONFIG).total == 8 + 9 + 3 * 35 + 7
    assert cycles(step, 8, CONFIG).busy == 24


def test_backward_by_hand():
    """2 samples of 5 x 2 pixels, 4 words of inputs under the kernel, 4 groups."""
    assert cycles(BACKWARD, BATCH, CONFIG) == Cycles(22, 2 * 10 * 4 * 4 + 1 + 17, 2 * 10 * 4 * 4)
    # Ten lanes are three parts of a word.
    wide = replace(CONFIG, array=ArrayConfig(rows=10, cols=40))
    assert cycles(BACKWARD, BATCH, wide).total == 2 * 10 * 4 * 4 + 3 + 17
    # They take longer than two steps do; the one step of the last word need not wait.
    step = Instruction(code=Code.BACKWARD, groups=2, columns=2, positions=4)
    assert cycles(step, 4, wide) == Cycles(22, 4 * 3 + 3 + 17, 4 * 2)
    assert cycles(replace(step, groups=1), 4, wide) == Cycles(22, 3 * 3 + 1 + 3 + 17, 4)


def test_update_by_hand():
    """32 errors a column (8 positions of 4 places), 4 words under the kernel, 4 groups and the
    pass for the mean."""
    assert cycles(UPDATE, BATCH, CONFIG) == Cycles(22, 4 * 5 * 32 + 4 + 32, 4 * 5 * 32)
    # A column is drained in as many cycles as there are rows, if it has fewer errors.
    step = Instruction(code=Code.UPDATE, groups=3, columns=3, positions=3)
    wide = replace(CONFIG, array=ArrayConfig(rows=16, cols=40))
    assert cycles(step, 3, wide) == Cycles(22, 4 * 16 + 16 + 32, 4 * 3)
    # A single error of the last column is its first, and need not wait for the one before.
    single = replace(step, positions=1)
    assert cycles(single, 1, wide) == Cycles(22, 3 * 16 + 1 + 16 + 32, 4)


def test_end_and_fetch():
    assert FETCH == WORDS + 1 == 22
    assert cycles(Instruction(), 1, CONFIG) == Cycles(22, 2, 0)


@pytest.mark.parametrize("step", [FORWARD, BACKWARD, UPDATE], ids=lambda s: Code(s.code).name)
def test_what_fits_can_run(step):
    for change in ({}, {"train": 1}, {"train": 1, "score": 1}, {"learn": 3}):
        assert problem(replace(step, **change), BATCH, CONFIG) == ""


SIZES = ("groups", "columns", "in_pixel", "out_pixel", "height", "width", "kernel_height",
         "kernel_width", "in_height", "in_width")  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_no_size_is_zero(name):
    for step in (FORWARD, BACKWARD, UPDATE):
        assert problem(replace(step, **{name: 0}), BATCH, CONFIG) == (
            f"{name} must be at least 1, not 0"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": 4}, "code must be one of 0, 1, 2, 3, not 4"),
        ({"code": 15}, "code must be one of 0, 1, 2, 3, not 15"),
        ({"positions": 7}, "positions must be batch x height x width = 8, not 7"),
        ({"positions": 0}, "positions must be batch x height x width = 8, not 0"),
        ({"state": 32}, "state must be below 32, not 32"),
        ({"in_pixel": 0x8000}, "inputs under the kernel must be fewer than 2^19, not 131072 words"),
    ],
)
def test_what_cannot_be(change, message):
    for step in (FORWARD, BACKWARD, UPDATE):
        assert problem(replace(step, **change), BATCH, CONFIG) == message


# Instruction, field, and the highest value of it that fits: the last word less the way to it, by
# sample, row, pixel, kernel row, kernel pixel (or word, or group).
LAST = [
    (FORWARD, "in_base", 59 - (25 + 3 * 5 + 3 + 5 + 1), "inputs", 60),
    (UPDATE, "in_base", 59 - (25 + 3 * 5 + 3 + 5 + 1), "inputs", 60),
    (FORWARD, "out_base", 59 - (8 + 4 + 2 + 1), "outputs", 60),
    (replace(FORWARD, train=1), "errors", 49 - (8 + 4 + 2 + 1), "errors", 50),
    (BACKWARD, "errors", 49 - (8 + 4 + 2 + 1), "errors", 50),
    (UPDATE, "errors", 49 - (8 + 4 + 2 + 1), "errors", 50),
    (BACKWARD, "in_errors", 49 - 19, "errors of inputs", 50),
    (FORWARD, "cells", 39 - (16 + 4 + 3), "weights", 40),
    (UPDATE, "cells", 39 - (16 + 4 + 3), "weights", 40),
    (BACKWARD, "cells", 39 - (16 + 8 + 3), "weights", 40),
    (FORWARD, "thresholds", 5 - 3, "thresholds", 6),
    (replace(UPDATE, learn=1), "thresholds", 5 - 3, "thresholds", 6),
]


@pytest.mark.parametrize(("step", "name", "highest", "what", "words"), LAST)
def test_the_last_word_of_a_memory(step, name, highest, what, words):
    last = replace(step, **{name: highest})
    assert problem(last, BATCH, CONFIG) == ""
    beyond = replace(step, **{name: highest + 1})
    assert problem(beyond, BATCH, CONFIG) == f"{what} must lie below {words}, not at {words}"


@pytest.mark.parametrize(
    ("step", "name"),
    [(FORWARD, "errors"), (replace(FORWARD, score=1), "out_base"), (UPDATE, "out_base"),
     (UPDATE, "thresholds"), (BACKWARD, "in_base"), (BACKWARD, "thresholds")],
)  # fmt: skip
def test_what_an_instruction_does_not_use_may_lie_anywhere(step, name):
    assert problem(replace(step, **{name: 0xFFFF}), BATCH, CONFIG) == ""


def test_positions_must_fit():
    small = replace(CONFIG, positions=7)
    for step in (FORWARD, UPDATE):
        assert problem(step, BATCH, small) == "positions must lie below 7, not at 7"
    assert problem(BACKWARD, BATCH, small) == ""


def test_a_program_that_cannot_run_says_where():
    """The instructions before it have been executed."""
    chip = GoldenAccelerator(CONFIG)
    cases = [
        ([FORWARD, replace(FORWARD, cells=99)], 21, "weights must lie below 40, not at 122"),
        ([replace(UPDATE, code=9)], 0, "code must be one of 0, 1, 2, 3, not 9"),
        ([FORWARD, FORWARD], 2 * 21, "the program does not end"),
    ]
    for program, where, message in cases:
        before = chip.counts()
        chip.write(Space.PROGRAM, assemble(program)[: CONFIG.program_words])
        with pytest.raises(ProgramError, match=rf"^program word {where}: {message}$") as caught:
            chip.run(0, BATCH)
        assert (caught.value.pc, caught.value.problem) == (where, message)
        ran = where // 21
        assert chip.counts().forward_busy - before.forward_busy == 512 * ran
    chip.write(Space.PROGRAM, assemble([]), 41)
    assert chip.run(41, BATCH).shape == (2, 2)
    with pytest.raises(ProgramError, match=r"^program word 42: the program does not end$"):
        chip.run(42, BATCH)
