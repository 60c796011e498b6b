"""Fetches a program's instructions and starts the engines."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import STATES, AcceleratorConfig
from golden.accel.program import WORDS, Code
from hdl.accel.layouts import instruction_layout

_POSITIVE = ("groups", "columns", "positions", "in_pixel", "out_pixel", "height", "width",
             "kernel_height", "kernel_width", "in_height", "in_width")  # fmt: skip
QUIET = 4  # cycles without work after which an instruction is through


class State(enum.Enum, shape=3):
    """What the sequencer does."""

    IDLE = 0
    FETCH = 1
    CHECK = 2
    RUN = 3
    NEXT = 4
    FINISH = 5


class Sequencer(wiring.Component):
    """Runs a program from ``start`` to END or to the first fault.

    Members
    -------
    start : In(1); pc : In(16); batch : In(16)
    stop : In(1)
        End the program early.
    at : Out(16); word : In(32)
        Read port of the program memory.
    instruction : Out
    begin : Out(1)
        The engine of ``instruction`` is to start.
    working : In(1)
        An engine is at work.
    fault : In(1)
        An engine found an address beyond its memory: the program ends.
    halt : Out(1)
        The engines are to stop.
    commit : Out(1)
        An instruction is through without fault.
    running : Out(1)
    executing : Out(1)
        In an instruction, its fetch apart.
    done : Out(1)
        The program ends in this cycle; ``failed`` says whether by a fault of it, ``stopped`` by
        ``stop``, ``where`` the word of the last instruction.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "pc": In(16),
                "batch": In(16),
                "stop": In(1),
                "at": Out(16),
                "word": In(32),
                "instruction": Out(instruction_layout()),
                "begin": Out(1),
                "working": In(1),
                "fault": In(1),
                "halt": Out(1),
                "commit": Out(1),
                "running": Out(1),
                "executing": Out(1),
                "done": Out(1),
                "failed": Out(1),
                "stopped": Out(1),
                "where": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        words, step = self._config.program_words, self.instruction
        state = Signal(State)
        here = Signal(17)
        index = Signal(range(WORDS + 2))
        quiet = Signal(range(QUIET + 1))
        whole = Signal(data.ArrayLayout(32, WORDS))
        m.d.comb += [
            step.eq(whole.as_value()),
            self.at.eq(here + index),
            self.where.eq(here),
            self.running.eq(state != State.IDLE),
            self.executing.eq(
                (state == State.CHECK) | (state == State.RUN) | (state == State.NEXT)
            ),
            self.halt.eq(self.failed | self.stopped),
        ]
        known = Cat(step.code == code for code in (Code.FORWARD, Code.BACKWARD, Code.UPDATE)).any()
        held = self.batch.any() & (self.batch <= self._config.positions)
        sound = known & Cat(step[name].any() for name in _POSITIVE).all() & held
        sound &= step.state < STATES
        with m.If(self.stop & self.running):
            m.d.sync += self.stopped.eq(1)
        with m.If(state == State.IDLE):
            with m.If(self.start):
                m.d.sync += [
                    state.eq(State.FETCH), here.eq(self.pc), index.eq(0),
                    self.failed.eq(0), self.stopped.eq(0),
                ]  # fmt: skip
        with m.Elif(state == State.FETCH):
            m.d.sync += index.eq(index + 1)
            # A word comes a cycle after its address.
            m.d.sync += whole.eq(Cat(whole.as_value()[32:], self.word))
            with m.If(here + WORDS > words):
                m.d.sync += [self.failed.eq(1), state.eq(State.FINISH)]
            with m.Elif(index == WORDS):
                m.d.sync += [state.eq(State.CHECK), index.eq(0)]
        with m.Elif(state == State.CHECK):
            m.d.sync += quiet.eq(0)
            with m.If(self.stopped | ((step.code == Code.END) & held)):
                m.d.sync += state.eq(State.FINISH)
            with m.Elif(~sound):
                m.d.sync += [self.failed.eq(1), state.eq(State.FINISH)]
            with m.Else():
                m.d.comb += self.begin.eq(1)
                m.d.sync += state.eq(State.RUN)
        with m.Elif(state == State.RUN):
            with m.If(self.fault):
                m.d.sync += self.failed.eq(1)
            m.d.sync += quiet.eq(quiet + 1)
            with m.If(self.working):
                m.d.sync += quiet.eq(0)
            with m.Elif(quiet == QUIET):
                m.d.sync += state.eq(State.NEXT)
        with m.Elif(state == State.NEXT):
            m.d.sync += state.eq(State.FINISH)
            with m.If(~self.halt):
                m.d.comb += self.commit.eq(1)
                m.d.sync += [here.eq(here + WORDS), state.eq(State.FETCH)]
        with m.Else():
            m.d.comb += self.done.eq(1)
            m.d.sync += state.eq(State.IDLE)
        return m
