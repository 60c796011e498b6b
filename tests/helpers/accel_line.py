"""The accelerator in Amaranth's simulator, behind its register bus and streams."""

import functools

import numpy as np
import pytest
from amaranth.hdl import Cat
from amaranth.sim import Simulator
from hdl_sim import CLOCK_S, run

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from golden.registers import by_name
from hdl.accel.accelerator_top import Accelerator

CONFIG = AcceleratorConfig(
    array=ArrayConfig(rows=4, cols=4, code_bits=2, draw_bits=8), tiles=2, activation_words=7,
    error_words=5, positions=6, threshold_words=3, program_words=64,
)  # fmt: skip
PATIENCE = 5000  # cycles
WRITE, READ, FRAME, RUN = range(1, 5)  # packets
LABELS, RESULTS, GENERATORS = 4, 7, 8  # spaces
CONTROL, STATUS, PC, BATCH = (
    by_name()[name].address for name in ("CONTROL", "STATUS", "PC", "BATCH")
)


def head(op, space=0, fault=0):
    return op | space << 8 | fault << 16


class Line:
    """The hardware's bus and streams."""

    def __init__(self, ctx, dut, *, stalls=0.0):
        self.ctx, self.dut, self.stalls = ctx, dut, stalls
        self.rng = np.random.default_rng(1)
        self.answers, self.answer, self.held = [], [], 0

        bus, i, o = dut.bus, dut.i, dut.o
        # One assignment a cycle: the simulator settles after each.
        self.access = Cat(bus.write, bus.read, bus.strobe, bus.address, bus.data)
        self.inputs = Cat(i.valid, o.ready, i.p.last, i.p.data)
        self.outputs = o.valid, o.p.data, o.p.last, i.ready

    async def write(self, address, value):
        self.ctx.set(self.access, 1 | 0xF << 2 | address << 6 | value << 14)
        await self.step()
        self.ctx.set(self.access, 0)
        assert not self.ctx.get(self.dut.bus.error)
        await self.step()

    async def read(self, address):
        self.ctx.set(self.access, 2 | address << 6)
        await self.step()
        self.ctx.set(self.access, 0)
        return self.ctx.get(self.dut.bus.answer)

    async def step(self, word=None, last=False):
        """A cycle, with ``word`` offered; tells whether it was taken. What comes is heard."""
        offered, listening = word is not None, True
        if self.stalls:
            go = (self.rng.random(2) >= self.stalls).tolist()
            offered, listening = offered and go[0], go[1]
        inputs = offered | listening << 1 | last << 2 | (word or 0) << 3
        if inputs != self.held:
            self.ctx.set(self.inputs, inputs)
            self.held = inputs
        *_, valid, data, end, ready = await self.ctx.tick().sample(*self.outputs)
        if valid and listening:
            self.answer.append(data)
            if end:
                self.answers.append(self.answer)
                self.answer = []
        return offered and ready

    async def send(self, words):
        for number, word in enumerate(words):
            for _ in range(PATIENCE):
                if await self.step(word, number == len(words) - 1):
                    break
            else:
                pytest.fail(f"word {number} of a packet is not taken")

    async def receive(self):
        for _ in range(PATIENCE):
            if self.answers:
                return self.answers.pop(0)
            await self.step()
        pytest.fail(f"no end of an answer after {len(self.answer)} words")
        return None


@functools.cache
def _simulator(config):
    """The compiled simulation of a configuration, and the test that it is to run."""
    dut, test = Accelerator(config), []
    simulator = Simulator(dut)
    simulator.add_clock(CLOCK_S)

    async def testbench(ctx):
        part, options = test[-1]
        await part(Line(ctx, dut, **options))

    simulator.add_testbench(testbench)
    return simulator, test


def play(config, test, **options):
    """Run the async ``test(line)`` on an accelerator after reset; one is made a configuration,
    which takes longer than most tests."""
    simulator, waiting = _simulator(config)
    waiting.append((test, options))
    if len(waiting) > 1:
        simulator.reset()
    run(simulator)
