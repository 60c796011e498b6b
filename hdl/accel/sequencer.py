"""Instruction sequencer: fetches a program's instructions and starts the engines."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import STATES, AcceleratorConfig
from golden.accel.program import WORDS, Code
from hdl.accel.layouts import instruction_layout

_POSITIVE = ("groups", "columns", "positions", "in_pixel", "out_pixel", "height", "width",
             "kernel_height", "kernel_width", "in_height", "in_width")  # fmt: skip
QUIET = 4  # an instruction ends after more than this many cycles without work


class State(enum.Enum, shape=3):
    """State of the sequencer."""

    IDLE = 0
    FETCH = 1
    CHECK = 2
    RUN = 3
    NEXT = 4
    FINISH = 5


class Sequencer(wiring.Component):
    """Runs a program from ``start`` to END, to ``stop`` or to the first fault.

    Latency: ``WORDS`` + 1 cycles to fetch an instruction and one to check it. The instruction ends
    when no engine has worked for ``QUIET`` + 1 cycles.

    Ordering: one instruction at a time.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    start : In(1)
        Run the program at word ``pc`` with ``batch`` samples.
    pc, batch : In(16)
    stop : In(1)
        End the program early.
    at : Out(16)
        Address in the program memory.
    word : In(32)
        The word of the address a cycle ago.
    instruction : Out(instruction_layout())
    begin : Out(1)
        Starts the engine of ``instruction``.
    working : In(1)
        An engine is at work.
    fault : In(1)
        An engine found an address beyond its memory. The program ends.
    halt : Out(1)
        Stops the engines.
    commit : Out(1)
        The instruction has ended without a fault.
    running : Out(1)
    executing : Out(1)
        An instruction is executed. Its fetch does not count.
    done : Out(1)
        The program ends in this cycle.
    failed, stopped : Out(1)
        The program ended by a fault, or by ``stop``.
    where : Out(16)
        Word address of the last instruction.
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
        state = Signal(State)
        here = Signal(17)  # word address of the instruction
        index = Signal(range(WORDS + 2))
        whole = Signal(data.ArrayLayout(32, WORDS))
        m.d.comb += [
            self.instruction.eq(whole.as_value()),
            self.at.eq(here + index),
            self.where.eq(here),
            self.running.eq(state != State.IDLE),
            self.executing.eq(
                (state == State.CHECK) | (state == State.RUN) | (state == State.NEXT)
            ),
            self.halt.eq(self.failed | self.stopped),
        ]
        self._execute(m, state, here, index, whole)
        return m

    def _sound(self, held):
        """Whether the instruction can be executed, given that its batch can."""
        step = self.instruction
        known = Cat(step.code == code for code in (Code.FORWARD, Code.BACKWARD, Code.UPDATE)).any()
        positive = Cat(step[name].any() for name in _POSITIVE).all()
        return known & positive & held & (step.state < STATES)

    def _execute(self, m, state, here, index, whole):
        """The state machine.

        The last branch is for all other values of the state, too. ``m.FSM`` has no such branch,
        which takes a sixth more LUTs in an ECP5.
        """
        step = self.instruction
        quiet = Signal(range(QUIET + 1))
        held = self.batch.any() & (self.batch <= self._config.positions)
        sound = self._sound(held)
        with m.If(self.stop & self.running):
            m.d.sync += self.stopped.eq(1)
        with m.If(state == State.IDLE):
            with m.If(self.start):
                m.d.sync += [state.eq(State.FETCH), here.eq(self.pc), index.eq(0)]
                m.d.sync += [self.failed.eq(0), self.stopped.eq(0)]
        with m.Elif(state == State.FETCH):
            # A word comes a cycle after its address.
            m.d.sync += [index.eq(index + 1), whole.eq(Cat(whole.as_value()[32:], self.word))]
            with m.If(here + WORDS > self._config.program_words):
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
