"""The controller: command frames in, steps into the array, result frames out."""

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from golden import protocol
from golden.config import ArrayConfig
from golden.protocol import HEADER, TRAILER, Cause, Op
from hdl.delay import delayed
from hdl.port import CAUSE_BITS, LATENCY, OP_BITS, VISIBLE, array_port, index_bits
from hdl.queue import Queue

COLUMN_OPS = (Op.PROGRAM, Op.READ, Op.FORWARD, Op.BACKWARD, Op.UPDATE, Op.VARIANTS, Op.AGE)
WORD_OPS = (Op.FORWARD, Op.BACKWARD)
DATALESS_OPS = (Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS)
EVERY_STEP_OPS = (Op.READ, Op.FORWARD, Op.GENERATORS, Op.COUNTERS)  # a result word for every step
RANGELESS_OPS = (Op.SEED, Op.GENERATORS, Op.COUNTERS)  # all of what they are for


# Between a frame's last step and the next one's first lie these, a trailer and a header.
WAITS = VISIBLE - 3
# More results than can be on their way from a step to whoever takes them, so that none waits there.
RESULTS = 16


class State(enum.Enum, shape=3):
    """Where in a frame the controller is."""

    HEADER = 0
    CHECK = 1
    STEP = 2
    DRAIN = 3
    WAIT = 4
    TRAILER = 5


def is_in(op: Value, ops: tuple[Op, ...]) -> Value:
    """Whether ``op`` is one of ``ops``."""
    return Cat(op == each for each in ops).any()


def word_layout(width: int) -> data.StructLayout:
    """A word of a frame: data in the low bits, then ``last``."""
    return data.StructLayout({"data": width, "last": 1})


def control_layout(fields: dict[str, tuple[int, int]]) -> data.FlexibleLayout:
    """Header or trailer as ``golden.protocol`` lays it out."""
    return data.FlexibleLayout(
        protocol.CONTROL_BITS,
        {name: data.Field(width, low) for name, (low, width) in fields.items()},
    )


def reserved_bits(header: Value, config: ArrayConfig) -> Value:
    """The bits of a header that belong to no field; "blind" is one where there is no choice."""
    fields = [HEADER[name] for name in HEADER if name != "blind" or config.cells == 2]
    used = {low + i for low, width in fields for i in range(width)}
    return Cat(header[i] for i in range(protocol.CONTROL_BITS) if i not in used)


class Controller(wiring.Component):
    """Executes the commands of ``golden.protocol`` on an array.

    One step a cycle: a command of N steps takes N + 19 cycles from header to trailer, and the next
    header is accepted N + 9 cycles after the first. The array never stands still: a step is only
    issued if ``hdl.queue`` has room for its result.

    Members
    -------
    i, o : In, Out(stream of word_layout)
        Command frames and result frames.
    cause : Out(3)
        The sticky ``golden.protocol.Cause``; 0 is no error. It is known before the trailer that
        tells it is out.
    array : Out(array_port)

    References
    ----------
    Golden twin: ``golden.array.GoldenArray``; frames: ``golden.protocol``.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        self._slot = data.StructLayout(
            {
                "op": OP_BITS,
                "emit": 1,
                "sums": 1,
                "errors": 1,
                "word": 1,
                "trailer": 1,
                "fault": CAUSE_BITS,
            }
        )
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(protocol.data_bits(config)))),
                "o": Out(stream.Signature(word_layout(protocol.result_bits(config)))),
                "cause": Out(CAUSE_BITS),
                "array": Out(array_port(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.results = results = Queue(self.o.payload.shape(), RESULTS)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        due = Signal(range(RESULTS + 1))  # results on their way or in the queue
        room = Signal()
        m.d.comb += room.eq(due < RESULTS - 1)  # one may have been given and not counted yet
        now = self._sequence(m, room)
        self._respond(m, results, now)
        given = delayed(m, now.emit | now.trailer, 1, "given")
        taken = delayed(m, self.o.valid & self.o.ready, 1, "taken")  # comes from afar
        m.d.sync += due.eq(due + given - taken)
        return m

    def _sequence(self, m, room):
        """Frames in, steps out.

        Returns this cycle's slot.
        """
        config, array = self._config, self.array
        columns = config.columns_per_cycle
        header = Signal(control_layout(HEADER))
        header_last = Signal()
        beyond = Signal(HEADER["first"][1] + 1)  # the range's end
        op = header.op
        index = Signal(index_bits(config))
        end = Signal.like(index)
        frame_fault = Signal(CAUSE_BITS)
        last_seen = Signal()
        trailer = Signal()
        fault_now = Signal(CAUSE_BITS)

        begins = Signal()
        final = Signal()
        valid = Signal()
        emits = Signal()
        state = Signal(State)
        waited = Signal(range(WAITS))
        take = Signal()
        # A word is taken as it comes, and looked at a cycle later: few levels before so many bits.
        incoming = Signal.like(array.operand, reset_less=True)
        m.d.sync += incoming.eq(self.i.p.data)
        with m.If(delayed(m, take, 1)):
            m.d.sync += array.operand.eq(incoming)
        m.d.comb += [
            final.eq(index == end),
            emits.eq(valid & (is_in(op, EVERY_STEP_OPS) | ((op == Op.BACKWARD) & final))),
        ]
        m.d.sync += [
            array.valid.eq(valid),
            array.op.eq(op),
            array.index.eq(index),
            array.first.eq(begins),
            array.last.eq(Mux(state == State.STEP, valid & final, state == State.WAIT)),
        ]
        if config.cells == 2:
            m.d.sync += array.blind.eq(header.blind)
        with m.If(state == State.HEADER):
            m.d.comb += self.i.ready.eq(1)
            word = data.View(header.shape(), self.i.p.data[: protocol.CONTROL_BITS])
            with m.If(self.i.valid):
                m.d.sync += [
                    header.eq(word),
                    header_last.eq(self.i.p.last),
                    beyond.eq(word.first + word.count),
                    state.eq(State.CHECK),
                ]

        with m.Elif(state == State.CHECK):
            stride = Mux(is_in(op, WORD_OPS), columns, 1)
            # Both at once: which of them it is takes as long to know.
            too_far = Mux(
                op == Op.LOAD_TABLE,
                beyond > protocol.table_rows(config),
                beyond > config.cols,
            )
            unaligned = is_in(op, WORD_OPS) & ((header.first | header.count) & (columns - 1)).any()
            known = is_in(op, protocol.known(config))
            with m.If(~known | reserved_bits(header.as_value(), config).any()):
                m.d.comb += fault_now.eq(Cause.OPCODE)
            with m.Elif(
                is_in(op, (*COLUMN_OPS, Op.LOAD_TABLE))
                & ((header.count == 0) | too_far | unaligned)
            ):
                m.d.comb += fault_now.eq(Cause.RANGE)
            with m.Elif(is_in(op, DATALESS_OPS) & ~header_last):
                m.d.comb += fault_now.eq(Cause.LONG)
            with m.Elif(~is_in(op, DATALESS_OPS) & header_last):
                m.d.comb += fault_now.eq(Cause.SHORT)
            m.d.sync += [frame_fault.eq(fault_now), begins.eq(1)]
            with m.If(is_in(op, RANGELESS_OPS)):
                ends = [protocol.steps(each, config) - 1 for each in (Op.COUNTERS, Op.SEED)]
                m.d.sync += [index.eq(0), end.eq(Mux(op == Op.COUNTERS, *ends))]
            with m.Else():
                m.d.sync += [index.eq(header.first), end.eq(beyond - stride)]
            with m.If((fault_now != Cause.NONE) & ~header_last):
                m.d.sync += state.eq(State.DRAIN)
            with m.Elif((fault_now != Cause.NONE) | (op == Op.STATUS)):
                m.d.sync += state.eq(State.WAIT)
            with m.Else():
                m.d.sync += state.eq(State.STEP)

        with m.Elif(state == State.STEP):
            m.d.comb += take.eq(~is_in(op, DATALESS_OPS) & ((op != Op.FORWARD) | begins))
            last = Mux(take, self.i.p.last, last_seen)
            m.d.comb += [
                self.i.ready.eq(room & take),
                valid.eq(room & (~take | self.i.valid)),
            ]
            with m.If(valid):
                m.d.sync += [
                    last_seen.eq(last),
                    begins.eq(final),
                    index.eq(index + Mux(is_in(op, WORD_OPS), columns, 1)),
                ]
                with m.If(is_in(op, DATALESS_OPS)):
                    with m.If(final):
                        m.d.sync += state.eq(State.WAIT)
                with m.Elif(final & last):
                    m.d.sync += state.eq(State.WAIT)
                with m.Elif(final & is_in(op, WORD_OPS)):
                    m.d.sync += index.eq(header.first)
                with m.Elif(final):
                    m.d.sync += [frame_fault.eq(Cause.LONG), state.eq(State.DRAIN)]
                with m.Elif(last & (op != Op.FORWARD)):
                    m.d.sync += [frame_fault.eq(Cause.SHORT), state.eq(State.WAIT)]

        with m.Elif(state == State.DRAIN):
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid & self.i.p.last):
                m.d.sync += state.eq(State.WAIT)

        with m.Elif(state == State.WAIT):
            m.d.sync += waited.eq(waited + 1)
            with m.If(waited == WAITS - 1):
                m.d.sync += [waited.eq(0), state.eq(State.TRAILER)]

        with m.Else():
            m.d.comb += trailer.eq(room)
            with m.If(room):
                m.d.sync += state.eq(State.HEADER)
        now = Signal(self._slot, name="slot_0")
        m.d.comb += [
            now.op.eq(op),
            now.sums.eq(valid & (op == Op.FORWARD)),
            now.errors.eq(valid & (op == Op.BACKWARD)),
            now.word.eq(valid & ~is_in(op, WORD_OPS)),
            now.emit.eq(emits),
            now.trailer.eq(trailer),
            now.fault.eq(frame_fault),
        ]
        return now

    def _respond(self, m, results, now):
        """The result of each step as it leaves the array, and the trailer behind them all."""
        array, out = self.array, results.word
        due = delayed(m, now, 1 + LATENCY)  # a cycle to the array
        switched = Signal(TRAILER["switched"][1])
        more = delayed(m, array.switched, 1)
        cause = Signal(CAUSE_BITS)
        reported = Signal(CAUSE_BITS)
        end_of_frame = Signal(control_layout(TRAILER))
        m.d.sync += self.cause.eq(cause)  # a cycle later, no earlier than the trailer before
        m.d.comb += [
            reported.eq(Mux(cause.any(), cause, due.fault)),
            end_of_frame.cause.eq(reported),
            end_of_frame.op.eq(due.op),
            end_of_frame.switched.eq(switched),
            results.write.eq(due.emit | due.trailer),
            out.last.eq(due.trailer),
        ]
        # One of them at most: flags of their own, each known for long, since a result is wide.
        parts = [
            (due.trailer, end_of_frame),
            (due.sums, array.sums),
            (due.errors, array.errors),
            (due.word, array.word),
        ]
        chosen = (Mux(flag, Value.cast(part), 0) for flag, part in parts)
        m.d.comb += out.data.eq(functools.reduce(operator.or_, chosen))
        with m.If(due.trailer):
            m.d.sync += [switched.eq(0), cause.eq(reported)]
            with m.If((due.op == Op.STATUS) & (due.fault == Cause.NONE)):
                m.d.sync += cause.eq(Cause.NONE)
        with m.Else():
            m.d.sync += switched.eq(switched + more)
            with m.If(~cause.any()):
                m.d.sync += cause.eq(array.fault)
