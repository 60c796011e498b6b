"""The controller: command frames in, steps into the array, result frames out."""

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames
from golden.array.frames import (
    DATALESS_OPS,
    HEADER,
    RANGELESS_OPS,
    TRAILER,
    WORD_OPS,
    Cause,
    Op,
)
from golden.config import ArrayConfig
from hdl.array.port import CAUSE_BITS, LATENCY, OP_BITS, VISIBLE, array_port, index_bits
from hdl.lib.delay import delayed
from hdl.lib.fifo import Fifo

COLUMN_OPS = tuple(op for op in Op if op not in (*RANGELESS_OPS, Op.LOAD_TABLE))
COMPLETE_OPS = tuple(op for op in RANGELESS_OPS if op != Op.STATUS)  # all generators, counters
EVERY_STEP_OPS = (Op.READ, Op.FORWARD, Op.GENERATORS, Op.COUNTERS)  # a result word for every step


# Cycles in WAIT. With a trailer and a header they separate the last step of a frame from the first
# step of the next.
WAITS = VISIBLE - 3
# FIFO depth: more results than the pipeline holds, so that no result waits inside it.
RESULTS = 16


def is_in(op: Value, ops: tuple[Op, ...]) -> Value:
    """Whether ``op`` is one of ``ops``."""
    return Cat(op == each for each in ops).any()


def word_layout(width: int) -> data.StructLayout:
    """A word of a frame: data in the low bits, then ``last``."""
    return data.StructLayout({"data": width, "last": 1})


def control_layout(fields: dict[str, tuple[int, int]]) -> data.FlexibleLayout:
    """Header or trailer as ``golden.array.frames`` lays it out."""
    return data.FlexibleLayout(
        frames.CONTROL_BITS,
        {name: data.Field(width, low) for name, (low, width) in fields.items()},
    )


def reserved_bits(header: Value, config: ArrayConfig) -> Value:
    """The bits of a header that belong to no field. A binary array has no field "blind"."""
    fields = [HEADER[name] for name in HEADER if name != "blind" or config.cells == 2]
    used = {low + i for low, width in fields for i in range(width)}
    return Cat(header[i] for i in range(frames.CONTROL_BITS) if i not in used)


class Controller(wiring.Component):
    """Executes the commands of ``golden.array.frames`` on an array.

    Pipeline: one step a cycle. A command of N steps takes N + 19 cycles from header to trailer.
    The next header is accepted N + 9 cycles after the first.

    Stalls: a step is issued only if ``hdl.lib.fifo`` has room for its result, so the array itself
    never stalls. Results leave in the order of the commands.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    i, o : In, Out(stream of word_layout)
        Command frames and result frames.
    cause : Out(3)
        The sticky ``golden.array.frames.Cause``; 0 is no error. Valid before the trailer that
        reports it is out.
    array : Out(array_port)

    References
    ----------
    Golden twin: ``golden.array.controller.GoldenController``; frames: ``golden.array.frames``.
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
                "i": In(stream.Signature(word_layout(frames.data_bits(config)))),
                "o": Out(stream.Signature(word_layout(frames.result_bits(config)))),
                "cause": Out(CAUSE_BITS),
                "array": Out(array_port(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.results = results = Fifo(self.o.payload.shape(), RESULTS)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        due = Signal(range(RESULTS + 1))  # results in the pipeline or in the FIFO
        room = Signal()
        m.d.comb += room.eq(due < RESULTS - 1)  # one may have been given and not counted yet
        now = self._sequence(m, room)
        self._respond(m, results, now)
        given = delayed(m, now.emit | now.trailer, 1, "given")
        taken = delayed(m, self.o.valid & self.o.ready, 1, "taken")  # from distant logic
        m.d.sync += due.eq(due + given - taken)
        return m

    def _sequence(self, m, room):
        """Frames in, steps out. Returns this cycle's slot."""
        array = self.array
        header = Signal(control_layout(HEADER))
        header_last = Signal()
        beyond = Signal(HEADER["first"][1] + 1)  # the range's end
        index = Signal(index_bits(self._config))
        end = Signal.like(index)
        fault = Signal(CAUSE_BITS, name="frame_fault")
        begins = Signal()
        final = Signal()
        valid = Signal()
        trailer = Signal()
        self._header, self._header_last, self._beyond = header, header_last, beyond
        self._index, self._end, self._fault = index, end, fault
        self._begins, self._final, self._valid = begins, final, valid
        m.d.comb += final.eq(index == end)
        take = self._operands(m)
        with m.FSM() as fsm:
            with m.State("HEADER"):
                self._take_header(m)
            with m.State("CHECK"):
                self._check(m)
            with m.State("STEP"):
                self._step(m, room, take)
            with m.State("DRAIN"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & self.i.p.last):
                    m.next = "WAIT"
            with m.State("WAIT"):
                self._wait(m)
            with m.State("TRAILER"):
                m.d.comb += trailer.eq(room)
                with m.If(room):
                    m.next = "HEADER"
        m.d.sync += [
            array.valid.eq(valid),
            array.op.eq(header.op),
            array.index.eq(index),
            array.first.eq(begins),
            array.last.eq(Mux(fsm.ongoing("STEP"), valid & final, fsm.ongoing("WAIT"))),
        ]
        if self._config.cells == 2:
            m.d.sync += array.blind.eq(header.blind)
        return self._slot_of(m, trailer)

    def _operands(self, m):
        """Operands of the array. Returns the flag that a word of the frame is one.

        A word is registered as it comes and decided on a cycle later: few levels of logic before
        many bits.
        """
        take = Signal()
        incoming = Signal.like(self.array.operand, reset_less=True)
        m.d.sync += incoming.eq(self.i.p.data)
        with m.If(delayed(m, take, 1)):
            m.d.sync += self.array.operand.eq(incoming)
        return take

    def _slot_of(self, m, trailer):
        """The slot of this cycle's step: the kind of its result."""
        op, valid = self._header.op, self._valid
        emits = is_in(op, EVERY_STEP_OPS) | ((op == Op.BACKWARD) & self._final)
        now = Signal(self._slot, name="slot_0")
        m.d.comb += [
            now.op.eq(op),
            now.sums.eq(valid & (op == Op.FORWARD)),
            now.errors.eq(valid & (op == Op.BACKWARD)),
            now.word.eq(valid & ~is_in(op, WORD_OPS)),
            now.emit.eq(valid & emits),
            now.trailer.eq(trailer),
            now.fault.eq(self._fault),
        ]
        return now

    def _take_header(self, m):
        m.d.comb += self.i.ready.eq(1)
        word = data.View(self._header.shape(), self.i.p.data[: frames.CONTROL_BITS])
        with m.If(self.i.valid):
            m.d.sync += [
                self._header.eq(word),
                self._header_last.eq(self.i.p.last),
                self._beyond.eq(word.first + word.count),
            ]
            m.next = "CHECK"

    def _check(self, m):
        """Looks for a fault of the header; sets the range of steps."""
        config, header, op, beyond = self._config, self._header, self._header.op, self._beyond
        columns, fault = config.columns_per_cycle, Signal(CAUSE_BITS, name="fault_now")
        # Both bounds are compared at once: to decide which one applies takes as long.
        too_far = Mux(op == Op.LOAD_TABLE, beyond > frames.table_rows(config), beyond > config.cols)
        unaligned = is_in(op, WORD_OPS) & ((header.first | header.count) & (columns - 1)).any()
        known = is_in(op, frames.known(config))
        with m.If(~known | reserved_bits(header.as_value(), config).any()):
            m.d.comb += fault.eq(Cause.OPCODE)
        with m.Elif(
            is_in(op, (*COLUMN_OPS, Op.LOAD_TABLE)) & ((header.count == 0) | too_far | unaligned)
        ):
            m.d.comb += fault.eq(Cause.RANGE)
        with m.Elif(is_in(op, DATALESS_OPS) & ~self._header_last):
            m.d.comb += fault.eq(Cause.LONG)
        with m.Elif(~is_in(op, DATALESS_OPS) & self._header_last):
            m.d.comb += fault.eq(Cause.SHORT)
        m.d.sync += [self._fault.eq(fault), self._begins.eq(1)]
        with m.If(is_in(op, COMPLETE_OPS)):
            ends = [frames.steps(each, config) - 1 for each in (Op.COUNTERS, Op.SEED)]
            m.d.sync += [self._index.eq(0), self._end.eq(Mux(op == Op.COUNTERS, *ends))]
        with m.Else():
            stride = Mux(is_in(op, WORD_OPS), columns, 1)
            m.d.sync += [self._index.eq(header.first), self._end.eq(beyond - stride)]
        with m.If((fault != Cause.NONE) & ~self._header_last):
            m.next = "DRAIN"
        with m.Elif((fault != Cause.NONE) | (op == Op.STATUS)):
            m.next = "WAIT"
        with m.Else():
            m.next = "STEP"

    def _step(self, m, room, take):
        """Issues a step if its word is there and its result has room."""
        op, index, final, begins = self._header.op, self._index, self._final, self._begins
        last_seen = Signal()
        last = Mux(take, self.i.p.last, last_seen)
        m.d.comb += [
            take.eq(~is_in(op, DATALESS_OPS) & ((op != Op.FORWARD) | begins)),
            self.i.ready.eq(room & take),
            self._valid.eq(room & (~take | self.i.valid)),
        ]
        with m.If(self._valid):
            stride = Mux(is_in(op, WORD_OPS), self._config.columns_per_cycle, 1)
            m.d.sync += [last_seen.eq(last), begins.eq(final), index.eq(index + stride)]
            with m.If(is_in(op, DATALESS_OPS)):
                with m.If(final):
                    m.next = "WAIT"
            with m.Elif(final & last):
                m.next = "WAIT"
            with m.Elif(final & is_in(op, WORD_OPS)):
                m.d.sync += index.eq(self._header.first)
            with m.Elif(final):
                m.d.sync += self._fault.eq(Cause.LONG)
                m.next = "DRAIN"
            with m.Elif(last & (op != Op.FORWARD)):
                m.d.sync += self._fault.eq(Cause.SHORT)
                m.next = "WAIT"

    def _wait(self, m):
        """Waits until a column written by the frame can be read."""
        waited = Signal(range(WAITS))
        m.d.sync += waited.eq(waited + 1)
        with m.If(waited == WAITS - 1):
            m.d.sync += waited.eq(0)
            m.next = "TRAILER"

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
        # At most one is set. Each has a flag that is known early, since a result is wide.
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
