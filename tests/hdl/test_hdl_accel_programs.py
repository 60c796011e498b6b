# amaranth: UnusedElaboratable=no
"""Random instructions on random memories, in the hardware and in numpy."""

import numpy as np
import pytest
from accel_line import BATCH, CONFIG, CONTROL, GENERATORS, PC, READ, STATUS, WRITE, head, play
from accel_server import Server
from test_hdl_accel_top import Recorder, everything, replay

from golden.accel.compiler import reciprocal
from golden.accel.driver import AcceleratorDriver
from golden.accel.interface import Space
from golden.accel.program import Code, Instruction, assemble
from golden.accel.timing import problem
from golden.accel.twin import GoldenAccelerator
from golden.pulse.table import tanh_table
from golden.registers import Fault

# Flags that make a difference to an instruction.
USED = {
    Code.FORWARD: ("train", "score", "binary", "pool"),
    Code.BACKWARD: ("plain", "pool"),
    Code.UPDATE: ("plain", "pool", "blind"),
}


def random_instruction(rng, code, batch, number):
    """One that can run: outputs beside its inputs, errors beside those that they become. Its
    ``number`` says whether it trains and whether it scores."""
    while True:
        height, width = rng.integers(1, 3, 2).tolist()
        positions = batch * height * width
        pool = int(rng.integers(2))
        factor, shift = reciprocal(positions * (4 if pool and code == Code.UPDATE else 1))
        one = lambda: int(rng.integers(2))  # noqa: E731
        small = lambda *span: int(rng.integers(*span))  # noqa: E731
        step = Instruction(
            code=code, train=number >> 1 & 1, score=number & 1, plain=one(), binary=one(),
            blind=one(), pool=pool,
            state=small(32), error_shift=small(5), padding=one(), learn=small(16), cells=small(3),
            tap_row=small(3), tap_pixel=small(3), groups=small(1, 3), columns=small(1, 5),
            positions=positions, in_base=0, in_sample=small(3), in_row=small(3), out_base=4,
            out_sample=height * width, out_row=width, errors=0, error_sample=height * width,
            error_row=width, in_errors=2 if code == Code.BACKWARD else 0, thresholds=small(2),
            height=height, width=width, kernel_height=small(1, 3), kernel_width=small(1, 3),
            in_height=small(1, 3), in_width=small(1, 3), adc=small(4), mean_factor=factor,
            mean_shift=shift, bound=small(600), inner=small(300), outer=small(300, 900),
            offset=small(-90, 90), scale=small(1 << small(1, 27)), rate=small(-500, 3500),
            dead=small(1 << small(1, 20)),
        )  # fmt: skip
        inputs = batch * step.in_height * step.in_width
        beside = {Code.FORWARD: step.score or positions <= 3, Code.UPDATE: True,
                  Code.BACKWARD: positions <= 2 and inputs <= 3}[code]  # fmt: skip
        reads_own_outputs = code == Code.FORWARD and not step.score and (
            _last_input(step, batch) >= step.out_base
        )  # fmt: skip
        if beside and not reads_own_outputs and not problem(step, batch, CONFIG):
            return step


def _last_input(step, batch):
    side = 1 + step.pool
    rows = side * step.height - 1 + step.kernel_height - 1
    return (batch - 1) * step.in_sample + rows * step.in_row + side * step.width - 1 + (
        step.kernel_width - 1
    )  # fmt: skip


def fill(chip, rng):
    """Random memories."""
    config = chip.config
    for space in (Space.ACTIVATIONS, Space.ERRORS, Space.WINDOWS, Space.THRESHOLDS, Space.STATES):
        words, shape, low, high = chip.layout(space)
        if space is Space.THRESHOLDS:
            low, high = -2000, 2000
        values = rng.integers(low, high + 1, (words, *shape))
        if space is Space.THRESHOLDS:
            values[..., :2] = -np.sort(-values[..., :2])  # no lower threshold above its upper one
            values[..., 2] &= 1
            values[..., 3] *= 50
        if space is Space.STATES:
            values %= 4000
        chip.write(space, values)
    chip.write(Space.LABELS, rng.integers(0, 5, config.positions))


@pytest.mark.parametrize("code", list(Code)[1:], ids=lambda code: code.name)
def test_random_instructions(code):
    """Two a program: memories, cells, generators and counters, cycles among them."""
    recorder = Recorder(Server(GoldenAccelerator(CONFIG)))
    chip, rng = (
        AcceleratorDriver(CONFIG, recorder),
        np.random.default_rng({1: 22, 2: 22, 3: 23}[code]),
    )
    for number in range(CONFIG.tiles):
        chip.tile(number).load_table(tanh_table(CONFIG.array))
        chip.tile(number).program(rng.integers(0, 2, (CONFIG.array.cols, 4, 2)))
    steps = []
    for _ in range(3):
        fill(chip, rng)
        batch = int(rng.integers(1, 3 if code == Code.BACKWARD else 4))
        steps += [random_instruction(rng, code, batch, len(steps) + k) for k in range(2)]
        chip.write(Space.PROGRAM, assemble(steps[-2:]))
        chip.run(0, batch)
        for space in (Space.ACTIVATIONS, Space.ERRORS, Space.WINDOWS, Space.THRESHOLDS):
            chip.read(space)
        chip.counts()
    everything(chip)
    counts = chip.counts()
    assert (counts.loss > 0) == (code == Code.FORWARD)
    assert (counts.switched > 0) == (code == Code.UPDATE)
    for name in USED[code]:
        assert len({getattr(step, name) for step in steps}) == 2, name

    async def test(line):
        await replay(line, recorder.said)

    play(CONFIG, test)


def test_a_generators_state_of_zero_is_left_out():
    async def test(line):
        await line.send([head(WRITE, GENERATORS), 2 << 16, 1, 2, 3, 4])
        await line.send([head(WRITE, GENERATORS), 2 << 16, 0, 0, 5, 6])
        assert await line.read(STATUS) >> 8 & 0xF == Fault.RANGE
        await line.send([head(READ, GENERATORS), 2 << 16])
        assert await line.receive() == [head(READ, GENERATORS), 1, 2, 5, 6]

    play(CONFIG, test)


def test_pc_and_batch_are_those_at_the_start():
    """Registers written while a program runs are for the next one."""
    program = [Instruction(code=Code.FORWARD, positions=2, kernel_height=2)]

    async def test(line):
        words = assemble(program).tolist()
        await line.send([head(WRITE, 0), len(words) << 16, *words])
        await line.write(BATCH, 2)
        await line.write(PC, 0)
        await line.write(CONTROL, 1)
        await line.write(BATCH, 1)
        await line.write(PC, 21)
        assert len(await line.receive()) == 1 + 2
        await line.write(CONTROL, 1)
        assert len(await line.receive()) == 1 + 1
        assert await line.read(STATUS) == 0

    play(CONFIG, test)
