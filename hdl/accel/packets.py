"""Packets from the host to memories and tiles, and back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from golden import protocol
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Space
from golden.accel.packets import HEADER, RANGE, PacketOp, space_words
from golden.registers import Fault
from hdl.accel.core import PART, PART_BITS, host_port, part_of
from hdl.accel.loops import lookup
from hdl.controller import word_layout
from hdl.lint import unused

WORD = word_layout(32)
_HEADER = data.FlexibleLayout(32, {n: data.Field(w, low) for n, (low, w) in HEADER.items()})
_RANGE = data.FlexibleLayout(32, {n: data.Field(w, low) for n, (low, w) in RANGE.items()})


class Take(enum.Enum, shape=3):
    """What the next word of a packet is."""

    FIRST = 0
    PLACE = 1
    WRITE = 2
    FRAME = 3
    DRAIN = 4
    ANSWER = 5  # none: the answer is to come first


class Give(enum.Enum, shape=3):
    """What the next word of an answer is."""

    IDLE = 0
    FIRST = 1
    ADDRESS = 2  # none: a memory reads
    WORDS = 3
    FRAME = 4


class Packets(wiring.Component):
    """Takes one packet at a time.

    Members
    -------
    i, o : In, Out(stream of 32-bit words with ``last``)
    host : Out(host_port)
    frame_i_N, frame_o_N : Out, In(stream), a tile
        Command and result frames of tile N.
    busy : In(1)
        A program runs or is to start: packets are refused.
    ready : Out(1)
        No packet is under way.
    done : In(1); done_fault : In(4); batch : In(16)
        A program has ended: its results are to go out.
    fault : Out(8); what : Out(16)
        In the cycle in which a packet is found wrong: ``golden.registers.Fault`` and the packet's
        first 16 bits.

    References
    ----------
    Packets: ``golden.accel.packets``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        array = config.array
        frames_in = stream.Signature(word_layout(protocol.data_bits(array)))
        frames_out = stream.Signature(word_layout(protocol.result_bits(array)))
        super().__init__(
            {
                "i": In(stream.Signature(WORD)),
                "o": Out(stream.Signature(WORD)),
                "host": Out(host_port(config)),
                "busy": In(1),
                "ready": Out(1),
                "done": In(1),
                "done_fault": In(4),
                "batch": In(16),
                "fault": Out(8),
                "what": Out(16),
            }
            | {f"frame_i_{n}": Out(frames_in) for n in range(config.tiles)}
            | {f"frame_o_{n}": In(frames_out) for n in range(config.tiles)}
        )

    def elaborate(self, platform):
        m = Module()
        config, array = self._config, self._config.array
        spaces = space_words(config)
        longest = max(*(bits for _, bits in spaces.values()), protocol.data_bits(array))
        parts = -(-longest // 32)
        self._frame_parts = -(-protocol.data_bits(array) // 32)
        self._answer_parts = -(-protocol.result_bits(array) // 32)
        self._depths = [spaces[space][0] for space in Space]
        self._parts = [-(-spaces[space][1] // 32) for space in Space]

        self._is_frame = Signal()  # the answer that goes out is a tile's
        self._complete = Signal()  # a word is written
        gathered = Signal(data.ArrayLayout(32, parts))
        take = Signal(Take)
        give = Signal(Give)
        ask = Signal()
        refusal = Signal(8)
        header = Signal(_HEADER)
        place = Signal(_RANGE)
        pending = Signal()
        unused(m, header)
        idle = (take == Take.FIRST) & ~self._complete
        m.d.comb += self.ready.eq(idle & (give == Give.IDLE) & ~pending)
        self._take_in(m, take, give, pending, header, place, gathered, ask, refusal)
        self._give_out(m, idle, give, pending, header, place, ask, refusal)
        return m

    def _take_in(self, m, take, give, pending, header, place, gathered, ask, refusal):
        """Packets in."""
        config, host, word = self._config, self.host, self.i.p.data
        part = Signal(16)
        at = Signal(16)
        left = Signal(17)
        fault = Signal(8)
        first = data.View(_HEADER, word)
        ranged = data.View(_RANGE, word)
        answered = (header.op == PacketOp.READ) | (header.op == PacketOp.FRAME)
        sent = Signal()  # a frame's word waits for its tile
        sent_last = Signal()
        accept = Signal()
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            host.data.eq(gathered.as_value()[: len(host.data)]),
            self.what.eq(header.as_value()[:16]),
        ]

        def refuse(code):
            """A fault: read on to the packet's end, then answer if an answer is due."""
            m.d.comb += [self.fault.eq(code)]
            m.d.sync += [fault.eq(code), take.eq(Mux(self.i.p.last, Take.ANSWER, Take.DRAIN))]

        def gather():
            m.d.sync += part.eq(part + 1)
            for i, slot in enumerate(gathered):
                with m.If(part == i):
                    m.d.sync += slot.eq(word)

        # A complete word is written in the cycle after its last part; of errors, a part a cycle.
        complete = self._complete
        piece = Signal(range(max(self._parts)))
        errors = header.space == Space.ERRORS
        m.d.comb += host.write.eq(complete)
        with m.If(errors):
            m.d.comb += host.data.eq(gathered[piece])
        with m.If(complete):
            m.d.sync += piece.eq(piece + 1)
            with m.If(~errors | (piece == self._parts[Space.ERRORS] - 1)):
                m.d.sync += [complete.eq(0), piece.eq(0), at.eq(at + 1), gathered.eq(0)]

        with m.If(take == Take.FIRST):
            m.d.comb += self.i.ready.eq((give == Give.IDLE) & ~pending & ~self.done & ~complete)
            m.d.sync += [part.eq(0), fault.eq(Fault.NONE)]
            with m.If(accept):
                m.d.sync += [header.eq(word), gathered.eq(0)]
                m.d.comb += self.what.eq(word[:16])
                is_frame = first.op == PacketOp.FRAME
                is_range = (first.op == PacketOp.WRITE) | (first.op == PacketOp.READ)
                limit = Mux(is_frame, config.tiles, len(Space))
                with m.If(~(is_frame | is_range)):
                    refuse(Fault.PACKET)
                with m.Elif(first.space >= limit):
                    refuse(Fault.RANGE)
                with m.Elif(self.busy):
                    refuse(Fault.BUSY)
                with m.Elif(self.i.p.last):
                    refuse(Fault.SHORT)
                with m.Else():
                    m.d.sync += take.eq(Mux(is_frame, Take.FRAME, Take.PLACE))
        with m.Elif(take == Take.PLACE):
            m.d.comb += self.i.ready.eq(1)
            end = ranged.first + ranged.count
            writing = header.op == PacketOp.WRITE
            with m.If(accept):
                m.d.sync += [place.eq(word), at.eq(ranged.first), left.eq(ranged.count)]
                beyond = (end > lookup(header.space, self._depths, 17)) | ~ranged.count.any()
                with m.If(beyond | (writing & (header.space == Space.RESULTS))):
                    refuse(Fault.RANGE)
                with m.Elif(writing & self.i.p.last):
                    refuse(Fault.SHORT)
                with m.Elif(~writing & ~self.i.p.last):
                    refuse(Fault.LONG)
                with m.Else():
                    m.d.sync += take.eq(Mux(writing, Take.WRITE, Take.ANSWER))
        with m.Elif(take == Take.WRITE):
            m.d.comb += self.i.ready.eq(~complete)
            with m.If(accept):
                gather()
                ends = part + 1 == lookup(header.space, self._parts, 16)
                with m.If(ends):
                    m.d.sync += [part.eq(0), left.eq(left - 1)]
                    zero = (header.space == Space.GENERATORS) & ~Cat(gathered[0], word).any()
                    with m.If(zero):  # it would stay zero for ever
                        m.d.comb += self.fault.eq(Fault.RANGE)
                        m.d.sync += at.eq(at + 1)
                    with m.Else():
                        m.d.sync += complete.eq(1)
                with m.If(self.i.p.last):
                    m.d.sync += take.eq(Take.ANSWER)
                    with m.If(~ends | (left != 1)):
                        m.d.comb += self.fault.eq(Fault.SHORT)
                with m.Elif(ends & (left == 1)):
                    m.d.comb += self.fault.eq(Fault.LONG)
                    m.d.sync += take.eq(Take.DRAIN)
        with m.Elif(take == Take.FRAME):
            m.d.comb += self.i.ready.eq(~sent)
            with m.If(accept):
                gather()
                ends = part + 1 == self._frame_parts
                with m.If(ends | self.i.p.last):
                    m.d.sync += [part.eq(0), sent.eq(1), sent_last.eq(self.i.p.last)]
                    with m.If(~ends):
                        m.d.comb += self.fault.eq(Fault.SHORT)
        with m.Elif(take == Take.DRAIN):
            m.d.comb += self.i.ready.eq(1)
            with m.If(accept & self.i.p.last):
                m.d.sync += take.eq(Take.ANSWER)
        with m.Else():
            with m.If(~answered):
                m.d.sync += take.eq(Take.FIRST)
            with m.Elif(give == Give.IDLE):
                m.d.comb += [ask.eq(1), refusal.eq(fault)]
                m.d.sync += take.eq(Take.FIRST)

        with m.If((take == Take.FIRST) & accept & (first.op == PacketOp.FRAME)
                  & ~self.fault.any()):  # fmt: skip
            m.d.comb += ask.eq(1)
        for n in range(config.tiles):
            frames = getattr(self, f"frame_i_{n}")
            chosen = sent & (header.space == n)
            m.d.comb += [
                frames.valid.eq(chosen),
                frames.p.data.eq(gathered.as_value()),
                frames.p.last.eq(sent_last),
            ]
            with m.If(chosen & frames.ready):
                m.d.sync += [sent.eq(0), gathered.eq(0)]
                with m.If(sent_last):
                    m.d.sync += take.eq(Take.FIRST)
        with m.If(give == Give.IDLE):
            m.d.comb += [
                host.space.eq(header.space), host.address.eq(at), host.part.eq(piece)
            ]  # fmt: skip

    def _give_out(self, m, idle, give, pending, header, place, ask, refusal):
        """Answers out; results only while no packet is under way (``idle``)."""
        config, host, out = self._config, self.host, self.o
        begun = Signal(_HEADER)
        first = Signal(_HEADER)
        at = Signal(17)
        left = Signal(17)
        space = Signal(8)
        part = Signal(PART_BITS)  # of a word that goes out
        next_part = Signal.like(part)
        parts = Mux(self._is_frame, self._answer_parts, lookup(space, self._parts, PART_BITS))
        last = Signal()
        failure = Signal(4)
        batch = Signal(16)
        with m.If(self.done):
            m.d.sync += [pending.eq(1), failure.eq(self.done_fault), batch.eq(self.batch)]
        with m.If(give != Give.IDLE):
            m.d.comb += [host.space.eq(space), host.address.eq(at), host.part.eq(next_part)]
        result = Signal(PART)
        result_valid = Signal()
        result_last = Signal()
        taken = Signal()
        cause = Signal(protocol.TRAILER["cause"][1])
        low, width = protocol.TRAILER["cause"]
        for n in range(config.tiles):
            frames = getattr(self, f"frame_o_{n}")
            with m.If(space == n):
                m.d.comb += [
                    result.eq(part_of(frames.p.data, part)),
                    cause.eq(frames.p.data[low : low + width]),
                    result_valid.eq(frames.valid),
                    result_last.eq(frames.p.last),
                    frames.ready.eq(taken & self._is_frame),
                ]
        with m.If(give == Give.IDLE):
            with m.If(ask):
                m.d.comb += [first.op.eq(header.op), first.space.eq(header.space),
                             first.fault.eq(refusal)]  # fmt: skip
                m.d.sync += [space.eq(header.space), at.eq(place.first), left.eq(place.count)]
                with m.If(self.i.valid & self.i.ready):  # a frame begins
                    now = data.View(_HEADER, self.i.p.data)
                    m.d.comb += [first.op.eq(now.op), first.space.eq(now.space)]
                    m.d.sync += space.eq(now.space)
                m.d.sync += [give.eq(Give.FIRST), last.eq(refusal.any())]
            with m.Elif(pending & idle):
                m.d.comb += [first.op.eq(PacketOp.RUN), first.fault.eq(failure)]
                m.d.sync += [
                    pending.eq(0), give.eq(Give.FIRST), last.eq(failure.any()),
                    space.eq(Space.RESULTS), at.eq(0), left.eq(batch),
                ]  # fmt: skip
            m.d.sync += begun.eq(first)
        with m.Elif(give == Give.FIRST):
            m.d.comb += [out.valid.eq(1), out.p.last.eq(last), out.p.data.eq(begun)]
            is_frame = begun.op == PacketOp.FRAME
            m.d.sync += self._is_frame.eq(is_frame)
            with m.If(out.ready):
                m.d.sync += give.eq(Mux(last, Give.IDLE, Mux(is_frame, Give.FRAME, Give.ADDRESS)))
        with m.Elif(give == Give.ADDRESS):
            m.d.sync += [left.eq(left - 1), last.eq(left == 1), give.eq(Give.WORDS)]
        with m.Elif(give == Give.FRAME):
            m.d.sync += last.eq(result_last)
            with m.If(result_valid):
                m.d.sync += give.eq(Give.WORDS)
        with m.Else():
            final = part + 1 == parts
            m.d.comb += [
                out.valid.eq(1),
                out.p.last.eq(last & final),
                out.p.data.eq(Mux(self._is_frame, result, host.word)),
                next_part.eq(part + out.ready),
                taken.eq(out.ready & final),
            ]
            with m.If(out.ready):
                m.d.sync += part.eq(Mux(final, 0, part + 1))
                with m.If(final):
                    m.d.sync += at.eq(at + 1)
                    with m.If(last):
                        m.d.sync += give.eq(Give.IDLE)
                    with m.Else():
                        m.d.sync += give.eq(Mux(self._is_frame, Give.FRAME, Give.ADDRESS))
        with m.If(result_valid & result_last & (give == Give.FRAME) & cause.any()):
            m.d.comb += self.fault.eq(Fault.FRAME)
