# amaranth: UnusedElaboratable=no
"""The sequencer, with a program memory and an engine that the test plays."""

from dataclasses import replace

import numpy as np
import pytest
from hdl_sim import simulate

from golden.accel.config import AcceleratorConfig
from golden.accel.program import FIELDS, WORDS, Code, Instruction, assemble
from golden.accel.timing import FETCH
from hdl.accel.sequencer import QUIET, Sequencer

CONFIG = AcceleratorConfig(positions=9, program_words=100)
STEPS = [
    Instruction(code=Code.FORWARD, scale=12345, rate=-7, offset=-1, dead=99),
    Instruction(code=Code.BACKWARD, padding=3, state=31),
    Instruction(code=Code.UPDATE, rate=-32768, cells=0xFFFF),
]
WORK, SETTLED = 5, QUIET + 2  # cycles at work; from the last of them to the next fetch


class Player:
    """Runs a program and notes what the engines see."""

    def __init__(self, ctx, words, *, junk=0):
        self.ctx, self.begun, self.commits, self.cycles = ctx, [], 0, 0
        self.memory = np.full(CONFIG.program_words, junk, np.uint32)
        self.memory[: len(words)] = words[: CONFIG.program_words]

    async def run(self, dut, pc=0, batch=1, *, fault_in=None, stop_at=None):
        """``fault_in``: the number of the instruction in which an engine finds a fault;
        ``stop_at``: the cycle in which ``stop`` comes. Returns failed, stopped, where."""
        ctx = self.ctx
        ctx.set(dut.pc, pc)
        ctx.set(dut.batch, batch)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.pc, 0xFFFF)  # taken at the start
        left = 0
        while True:
            assert ctx.get(dut.running)
            at = ctx.get(dut.at)
            if ctx.get(dut.begin):
                step = ctx.get(dut.instruction)
                self.begun.append({name: getattr(step, name) for name in FIELDS})
                left = WORK
            ctx.set(dut.working, left > 0)
            ctx.set(dut.fault, fault_in == len(self.begun) - 1 and left == 2)
            ctx.set(dut.stop, self.cycles == stop_at)
            self.commits += ctx.get(dut.commit)
            left = max(0, left - 1)
            self.cycles += 1
            if ctx.get(dut.done):
                end = ctx.get(dut.failed), ctx.get(dut.stopped), ctx.get(dut.where)
                await ctx.tick()
                assert not ctx.get(dut.running)
                return end
            assert self.cycles < 1000
            await ctx.tick()
            ctx.set(dut.word, int(self.memory[at]) if at < len(self.memory) else 0)


def play(words, test, **options):
    dut = Sequencer(CONFIG)

    async def testbench(ctx):
        await test(dut, Player(ctx, words, **options))

    simulate(dut, testbench)


def fields(step):
    return {name: getattr(step, name) for name in FIELDS}


def test_instructions_come_one_after_the_other_as_they_were_written():
    async def test(dut, player):
        assert await player.run(dut) == (0, 0, 3 * WORDS)
        assert player.begun == [fields(step) for step in STEPS]
        assert player.commits == 3
        each = FETCH + WORK + SETTLED
        assert player.cycles == 3 * each + FETCH + 2

    play(assemble(STEPS), test)


@pytest.mark.parametrize("pc", [7, CONFIG.program_words - 3 * WORDS])
def test_a_program_begins_at_pc(pc):
    async def test(dut, player):
        assert await player.run(dut, pc) == (0, 0, pc + 2 * WORDS)
        assert player.begun == [fields(step) for step in STEPS[:2]]

    play([0xFFFFFFFF] * pc + assemble(STEPS[:2]).tolist(), test)


def test_end_alone():
    async def test(dut, player):
        for _ in range(2):
            assert await player.run(dut) == (0, 0, 0)
        assert (player.begun, player.commits) == ([], 0)
        assert player.cycles == 2 * (FETCH + 2)

    play(assemble([]), test)


COUNTS = ("groups", "columns", "positions", "in_pixel", "out_pixel", "height", "width",
          "kernel_height", "kernel_width", "in_height", "in_width")  # fmt: skip
BAD = [{"code": code} for code in (4, 8, 15)] + [{"state": 32}, {"state": 255}]
BAD += [{name: 0} for name in COUNTS]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: "-".join(f"{n}{v}" for n, v in bad.items()))
def test_what_is_no_instruction_ends_the_program(bad):
    async def test(dut, player):
        assert await player.run(dut) == (1, 0, WORDS)
        assert player.begun == [fields(STEPS[0])]
        # The next run is none the worse.
        player.memory[WORDS:] = 0
        assert await player.run(dut) == (0, 0, WORDS)

    play(assemble([STEPS[0], replace(STEPS[1], **bad), STEPS[2]]), test)


@pytest.mark.parametrize("batch", [0, CONFIG.positions + 1])
def test_a_batch_that_cannot_be(batch):
    async def test(dut, player):
        assert await player.run(dut, batch=batch) == (1, 0, 0)
        assert player.begun == []
        assert (await player.run(dut, batch=CONFIG.positions))[0] == 0

    play(assemble(STEPS), test)


@pytest.mark.parametrize("pc", [CONFIG.program_words - WORDS + 1, 99, 0xFFFF])
def test_a_program_that_runs_off_its_memory(pc):
    async def test(dut, player):
        assert await player.run(dut, pc) == (1, 0, pc)
        assert player.begun == []

    play([], test, junk=int(STEPS[0].words()[0]))


def test_a_program_without_end_runs_off_its_memory():
    async def test(dut, player):
        assert await player.run(dut) == (1, 0, 4 * WORDS)
        assert len(player.begun) == 4

    play(np.array([STEPS[0].words()] * 5).ravel(), test)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_fault_ends_the_program_after_its_instruction(number):
    async def test(dut, player):
        assert await player.run(dut, fault_in=number) == (1, 0, number * WORDS)
        assert player.begun == [fields(step) for step in STEPS[: number + 1]]
        assert player.commits == number

    play(assemble(STEPS), test)


EACH = FETCH + WORK + SETTLED


@pytest.mark.parametrize(
    ("cycle", "begun", "commits"),
    [
        (0, 0, 0),
        (FETCH - 1, 0, 0),  # while it is fetched: it does not begin
        (FETCH + 1, 1, 0),  # at work: it ends without commit
        (EACH + 3, 1, 1),
        (EACH + FETCH + 2, 2, 1),
    ],
)
def test_stop(cycle, begun, commits):
    async def test(dut, player):
        where = cycle // EACH * WORDS
        assert await player.run(dut, stop_at=cycle) == (0, 1, where)
        assert (len(player.begun), player.commits) == (begun, commits)
        assert await player.run(dut) == (0, 0, 3 * WORDS)

    play(assemble(STEPS), test)


def test_stop_without_a_program_is_forgotten():
    async def test(dut, player):
        player.ctx.set(dut.stop, 1)
        await player.ctx.tick()
        player.ctx.set(dut.stop, 0)
        await player.ctx.tick()
        assert await player.run(dut) == (0, 0, 3 * WORDS)

    play(assemble(STEPS), test)


def test_the_engines_halt_once_there_is_a_fault():
    dut = Sequencer(CONFIG)
    words = assemble(STEPS)

    async def testbench(ctx):
        ctx.set(dut.batch, 1)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while not ctx.get(dut.begin):
            at = ctx.get(dut.at)
            assert not ctx.get(dut.halt)
            assert not ctx.get(dut.executing)
            await ctx.tick()
            ctx.set(dut.word, int(words[at]))
        ctx.set(dut.working, 1)
        assert ctx.get(dut.executing)
        await ctx.tick()
        ctx.set(dut.fault, 1)
        assert not ctx.get(dut.halt)
        await ctx.tick()
        ctx.set(dut.fault, 0)
        assert ctx.get(dut.halt)
        await ctx.tick()
        assert ctx.get(dut.halt)
        assert ctx.get(dut.running)  # as long as an engine works

    simulate(dut, testbench)
