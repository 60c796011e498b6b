"""Packets from the host to memories and tiles, and back."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Space
from golden.accel.packets import HEADER, RANGE, PacketOp, space_words
from golden.array.frames import TRAILER, data_bits, result_bits
from golden.registers import Fault
from hdl.accel.host_port import PART, PART_BITS, host_port, part_of
from hdl.accel.loops import lookup
from hdl.array.controller import word_layout
from hdl.lib.lint import unused

WORD = word_layout(32)
_HEADER = data.FlexibleLayout(32, {n: data.Field(w, low) for n, (low, w) in HEADER.items()})
_RANGE = data.FlexibleLayout(32, {n: data.Field(w, low) for n, (low, w) in RANGE.items()})


class Take(enum.Enum, shape=3):
    """Kind of the next word of a packet."""

    FIRST = 0
    PLACE = 1
    WRITE = 2
    FRAME = 3
    DRAIN = 4
    ANSWER = 5  # no word: the packet waits for its answer


class Give(enum.Enum, shape=3):
    """Kind of the next word of an answer."""

    IDLE = 0
    FIRST = 1
    ADDRESS = 2  # no word: a memory reads
    WORDS = 3
    FRAME = 4


class Packets(wiring.Component):
    """Executes packets, one at a time.

    Latency: one 32-bit word a cycle in, and one more cycle to write a complete word to its memory,
    or one for each part of a word of ERRORS. The answer to a READ begins 2 cycles after the packet
    and pauses one cycle before each word of a memory.

    Ordering: a packet is accepted when the answer to the last one is out. Results of a program go
    out only while no packet is under way.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    i, o : In, Out(stream of 32-bit words with ``last``)
    host : Out(host_port)
    frame_i_N, frame_o_N : Out, In(stream), a tile
        Command and result frames of tile N.
    busy : In(1)
        A program runs or starts: packets are refused.
    ready : Out(1)
        No packet is under way.
    done : In(1); done_fault : In(4); batch : In(16)
        A program has ended; its results go out next.
    fault : Out(8); what : Out(16)
        ``golden.registers.Fault`` and the packet's first 16 bits, for one cycle when a fault is
        found.

    References
    ----------
    Packets: ``golden.accel.packets``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        array = config.array
        frames_in = stream.Signature(word_layout(data_bits(array)))
        frames_out = stream.Signature(word_layout(result_bits(array)))
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
        longest = max(*(bits for _, bits in spaces.values()), data_bits(array))
        parts = -(-longest // 32)
        self._frame_parts = -(-data_bits(array) // 32)
        self._answer_parts = -(-result_bits(array) // 32)
        self._depths = [spaces[space][0] for space in Space]
        self._parts = [-(-spaces[space][1] // 32) for space in Space]

        self._is_frame = Signal(name="is_frame")  # the answer that goes out is a tile's
        self._complete = Signal(name="complete")  # a word is written
        self._gathered = Signal(data.ArrayLayout(32, parts), name="gathered")
        self._take = take = Signal(Take, name="take")
        self._give = give = Signal(Give, name="give")
        self._ask = Signal(name="ask")
        self._refusal = Signal(8, name="refusal")
        self._header = Signal(_HEADER, name="header")
        self._place = Signal(_RANGE, name="place")
        self._pending = Signal(name="pending")
        unused(m, self._header)
        idle = (take == Take.FIRST) & ~self._complete
        m.d.comb += self.ready.eq(idle & (give == Give.IDLE) & ~self._pending)
        self._take_in(m)
        self._give_out(m, idle)
        return m

    def _take_in(self, m):
        """Packets in."""
        take, header = self._take, self._header
        self._part = Signal(16, name="part")
        self._at = Signal(16, name="at")
        self._left = Signal(17, name="left")
        self._fault = Signal(8, name="found_fault")
        self._sent = Signal(name="sent")  # a frame's word waits for its tile
        self._sent_last = Signal(name="sent_last")
        self._accept = Signal(name="accept")
        m.d.comb += [
            self._accept.eq(self.i.valid & self.i.ready),
            self.host.data.eq(self._gathered.as_value()[: len(self.host.data)]),
            self.what.eq(header.as_value()[:16]),
        ]
        piece = self._write_word(m)
        with m.If(take == Take.FIRST):
            self._take_first(m)
        with m.Elif(take == Take.PLACE):
            self._take_place(m)
        with m.Elif(take == Take.WRITE):
            self._take_write(m)
        with m.Elif(take == Take.FRAME):
            self._take_frame(m)
        with m.Elif(take == Take.DRAIN):
            m.d.comb += self.i.ready.eq(1)
            with m.If(self._accept & self.i.p.last):
                m.d.sync += take.eq(Take.ANSWER)
        with m.Else():
            with m.If((header.op != PacketOp.READ) & (header.op != PacketOp.FRAME)):
                m.d.sync += take.eq(Take.FIRST)
            with m.Elif(self._give == Give.IDLE):
                m.d.comb += [self._ask.eq(1), self._refusal.eq(self._fault)]
                m.d.sync += take.eq(Take.FIRST)
        self._frames_in(m)
        with m.If(self._give == Give.IDLE):
            m.d.comb += [
                self.host.space.eq(header.space),
                self.host.address.eq(self._at),
                self.host.part.eq(piece),
            ]

    def _refuse(self, m, code):
        """Refuses a packet: reads it to its end, then answers if the operation has an answer."""
        m.d.comb += self.fault.eq(code)
        m.d.sync += [
            self._fault.eq(code),
            self._take.eq(Mux(self.i.p.last, Take.ANSWER, Take.DRAIN)),
        ]

    def _gather(self, m):
        """Puts a part into its place in the word."""
        m.d.sync += self._part.eq(self._part + 1)
        for i, slot in enumerate(self._gathered):
            with m.If(self._part == i):
                m.d.sync += slot.eq(self.i.p.data)

    def _write_word(self, m):
        """Writes a complete word in the cycle after its last part; a word of errors takes a cycle
        for each part. Returns the part."""
        complete = self._complete
        piece = Signal(range(max(self._parts)))
        errors = self._header.space == Space.ERRORS
        m.d.comb += self.host.write.eq(complete)
        with m.If(errors):
            m.d.comb += self.host.data.eq(self._gathered[piece])
        with m.If(complete):
            m.d.sync += piece.eq(piece + 1)
            with m.If(~errors | (piece == self._parts[Space.ERRORS] - 1)):
                m.d.sync += [complete.eq(0), piece.eq(0)]
                m.d.sync += [self._at.eq(self._at + 1), self._gathered.eq(0)]
        return piece

    def _take_first(self, m):
        """The packet's header."""
        word = self.i.p.data
        first = data.View(_HEADER, word)
        free = (self._give == Give.IDLE) & ~self._pending & ~self.done & ~self._complete
        m.d.comb += self.i.ready.eq(free)
        m.d.sync += [self._part.eq(0), self._fault.eq(Fault.NONE)]
        with m.If(self._accept):
            m.d.sync += [self._header.eq(word), self._gathered.eq(0)]
            m.d.comb += self.what.eq(word[:16])
            is_frame = first.op == PacketOp.FRAME
            is_range = (first.op == PacketOp.WRITE) | (first.op == PacketOp.READ)
            limit = Mux(is_frame, self._config.tiles, len(Space))
            with m.If(~(is_frame | is_range)):
                self._refuse(m, Fault.PACKET)
            with m.Elif(first.space >= limit):
                self._refuse(m, Fault.RANGE)
            with m.Elif(self.busy):
                self._refuse(m, Fault.BUSY)
            with m.Elif(self.i.p.last):
                self._refuse(m, Fault.SHORT)
            with m.Else():
                m.d.sync += self._take.eq(Mux(is_frame, Take.FRAME, Take.PLACE))

    def _take_place(self, m):
        """The range of words."""
        header, ranged = self._header, data.View(_RANGE, self.i.p.data)
        m.d.comb += self.i.ready.eq(1)
        end = ranged.first + ranged.count
        writing = header.op == PacketOp.WRITE
        with m.If(self._accept):
            m.d.sync += [self._place.eq(self.i.p.data), self._at.eq(ranged.first)]
            m.d.sync += self._left.eq(ranged.count)
            beyond = (end > lookup(header.space, self._depths, 17)) | ~ranged.count.any()
            with m.If(beyond | (writing & (header.space == Space.RESULTS))):
                self._refuse(m, Fault.RANGE)
            with m.Elif(writing & self.i.p.last):
                self._refuse(m, Fault.SHORT)
            with m.Elif(~writing & ~self.i.p.last):
                self._refuse(m, Fault.LONG)
            with m.Else():
                m.d.sync += self._take.eq(Mux(writing, Take.WRITE, Take.ANSWER))

    def _take_write(self, m):
        """A part of a word for a memory."""
        header, left, gathered = self._header, self._left, self._gathered
        m.d.comb += self.i.ready.eq(~self._complete)
        with m.If(self._accept):
            self._gather(m)
            ends = self._part + 1 == lookup(header.space, self._parts, 16)
            with m.If(ends):
                m.d.sync += [self._part.eq(0), left.eq(left - 1)]
                zero = ~Cat(gathered[0], self.i.p.data).any()
                with m.If((header.space == Space.GENERATORS) & zero):  # it would stay zero
                    m.d.comb += self.fault.eq(Fault.RANGE)
                    m.d.sync += self._at.eq(self._at + 1)
                with m.Else():
                    m.d.sync += self._complete.eq(1)
            with m.If(self.i.p.last):
                m.d.sync += self._take.eq(Take.ANSWER)
                with m.If(~ends | (left != 1)):
                    m.d.comb += self.fault.eq(Fault.SHORT)
            with m.Elif(ends & (left == 1)):
                m.d.comb += self.fault.eq(Fault.LONG)
                m.d.sync += self._take.eq(Take.DRAIN)

    def _take_frame(self, m):
        """A part of a word of a tile's command frame."""
        m.d.comb += self.i.ready.eq(~self._sent)
        with m.If(self._accept):
            self._gather(m)
            ends = self._part + 1 == self._frame_parts
            with m.If(ends | self.i.p.last):
                m.d.sync += [self._part.eq(0), self._sent.eq(1), self._sent_last.eq(self.i.p.last)]
                with m.If(~ends):
                    m.d.comb += self.fault.eq(Fault.SHORT)

    def _frames_in(self, m):
        """Words of command frames to their tiles. A frame is answered from its first word on."""
        take, first = self._take, data.View(_HEADER, self.i.p.data)
        begins = (take == Take.FIRST) & self._accept & (first.op == PacketOp.FRAME)
        with m.If(begins & ~self.fault.any()):
            m.d.comb += self._ask.eq(1)
        for n in range(self._config.tiles):
            frames = getattr(self, f"frame_i_{n}")
            chosen = self._sent & (self._header.space == n)
            m.d.comb += [
                frames.valid.eq(chosen),
                frames.p.data.eq(self._gathered.as_value()),
                frames.p.last.eq(self._sent_last),
            ]
            with m.If(chosen & frames.ready):
                m.d.sync += [self._sent.eq(0), self._gathered.eq(0)]
                with m.If(self._sent_last):
                    m.d.sync += take.eq(Take.FIRST)

    def _give_out(self, m, idle):
        """Answers out. Results go out only while no packet is under way (``idle``)."""
        give, host, out = self._give, self.host, self.o
        self._begun = begun = Signal(_HEADER, name="answer")
        self._answer_at = at = Signal(17, name="answer_at")
        self._answer_left = left = Signal(17, name="answer_left")
        self._space = space = Signal(8, name="answer_space")
        part = Signal(PART_BITS, name="answer_part")  # of a word that goes out
        next_part = Signal.like(part)
        parts = Mux(self._is_frame, self._answer_parts, lookup(space, self._parts, PART_BITS))
        self._last = last = Signal(name="answer_last")
        failure = Signal(4)
        batch = Signal(16)
        with m.If(self.done):
            m.d.sync += [self._pending.eq(1), failure.eq(self.done_fault), batch.eq(self.batch)]
        with m.If(give != Give.IDLE):
            m.d.comb += [host.space.eq(space), host.address.eq(at), host.part.eq(next_part)]
        taken = Signal()
        result = self._frames_out(m, part, taken)
        with m.If(give == Give.IDLE):
            self._begin_answer(m, idle, failure, batch)
        with m.Elif(give == Give.FIRST):
            m.d.comb += [out.valid.eq(1), out.p.last.eq(last), out.p.data.eq(begun)]
            is_frame = begun.op == PacketOp.FRAME
            m.d.sync += self._is_frame.eq(is_frame)
            with m.If(out.ready):
                m.d.sync += give.eq(Mux(last, Give.IDLE, Mux(is_frame, Give.FRAME, Give.ADDRESS)))
        with m.Elif(give == Give.ADDRESS):
            m.d.sync += [left.eq(left - 1), last.eq(left == 1), give.eq(Give.WORDS)]
        with m.Elif(give == Give.FRAME):
            m.d.sync += last.eq(result.last)
            with m.If(result.valid):
                m.d.sync += give.eq(Give.WORDS)
        with m.Else():
            final = part + 1 == parts
            m.d.comb += [
                out.valid.eq(1),
                out.p.last.eq(last & final),
                out.p.data.eq(Mux(self._is_frame, result.data, host.word)),
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

    def _frames_out(self, m, part, taken):
        """The word of the answering tile's result frame."""
        layout = {"data": PART, "valid": 1, "last": 1}
        result = Signal(data.StructLayout(layout))
        cause = Signal(TRAILER["cause"][1])
        low, width = TRAILER["cause"]
        for n in range(self._config.tiles):
            frames = getattr(self, f"frame_o_{n}")
            with m.If(self._space == n):
                m.d.comb += [
                    result.data.eq(part_of(frames.p.data, part)),
                    cause.eq(frames.p.data[low : low + width]),
                    result.valid.eq(frames.valid),
                    result.last.eq(frames.p.last),
                    frames.ready.eq(taken & self._is_frame),
                ]
        with m.If(result.valid & result.last & (self._give == Give.FRAME) & cause.any()):
            m.d.comb += self.fault.eq(Fault.FRAME)
        return result

    def _begin_answer(self, m, idle, failure, batch):
        """Starts the answer to a packet, or the results of a program that has ended."""
        header, place, give = self._header, self._place, self._give
        space, at, left, last = self._space, self._answer_at, self._answer_left, self._last
        first = Signal(_HEADER)
        with m.If(self._ask):
            m.d.comb += [first.op.eq(header.op), first.space.eq(header.space)]
            m.d.comb += first.fault.eq(self._refusal)
            m.d.sync += [space.eq(header.space), at.eq(place.first), left.eq(place.count)]
            with m.If(self.i.valid & self.i.ready):  # a frame begins
                now = data.View(_HEADER, self.i.p.data)
                m.d.comb += [first.op.eq(now.op), first.space.eq(now.space)]
                m.d.sync += space.eq(now.space)
            m.d.sync += [give.eq(Give.FIRST), last.eq(self._refusal.any())]
        with m.Elif(self._pending & idle):
            m.d.comb += [first.op.eq(PacketOp.RUN), first.fault.eq(failure)]
            m.d.sync += [self._pending.eq(0), give.eq(Give.FIRST), last.eq(failure.any())]
            m.d.sync += [space.eq(Space.RESULTS), at.eq(0), left.eq(batch)]
        m.d.sync += self._begun.eq(first)
