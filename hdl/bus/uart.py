"""A serial line in front of the accelerator, for boards without a processor.

Bytes have 8 bits, no parity, one stop bit. The host's commands, numbers little-endian:

=========================== =======================================================
``W`` address, 4 data bytes write a register; answered by ``w``
``R`` address               read a register; answered by ``r`` and 4 data bytes
``S`` 2 bytes n, 4 n bytes  n words for the accelerator's input, the last one marked
=========================== =======================================================

A refused access is answered by ``e`` alone, an unknown command byte by ``?``. Each word of the
accelerator's output comes as ``o``, or ``l`` if it is the last of its packet, and 4 data bytes.
Messages are never mixed; answers go before words.

The line has no flow control. The accelerator takes a word in far less time than its bytes take on
the line. A FIFO holds a few bytes; a byte that finds it full is lost. The answer to ``R`` is longer
than the command: wait for it before the next command. Send a word only when the accelerator takes
words. A pause of 2^20 cycles within a command abandons it, with ``?`` as the answer; the two ends
are then in step again after a lost byte. If the accelerator already has words of an ``S``, its
packet is closed with a word 0.
"""

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from golden import checks
from golden.registers import DATA_BITS
from hdl.array.controller import word_layout
from hdl.bus.registers import register_bus

BYTE_BITS = 8
LEAST_DIVISOR, MOST_DIVISOR = 4, 2**24 - 1
COUNT_BITS = 16  # of n in ``S``
FIFO_BYTES = 8
PAUSE_BITS = 20
WORD = word_layout(DATA_BITS)


class State(enum.Enum, shape=3):
    """State of the bridge."""

    COMMAND = 0
    ADDRESS = 1
    COUNT = 2
    DATA = 3
    STREAM = 4
    ACCESS = 5
    ANSWER = 6


class Reply(enum.Enum, shape=2):
    """Kind of a reply."""

    UNKNOWN = 0
    REFUSED = 1
    WRITTEN = 2
    READ = 3


LETTERS = {Reply.UNKNOWN: "?", Reply.REFUSED: "e", Reply.WRITTEN: "w", Reply.READ: "r"}


def checked(divisor: int) -> int:
    """``divisor`` if it is long enough to find the middle of a bit.

    Raises
    ------
    ValueError
        If it is not, or longer than ``MOST_DIVISOR``.
    """
    if divisor > MOST_DIVISOR:
        raise ValueError(f"divisor must be at most {MOST_DIVISOR}, not {checks.shown(divisor)}")
    return checks.integer("divisor", divisor, LEAST_DIVISOR)


def advance(m, timer, divisor):
    """Count the cycles of a bit."""
    m.d.sync += timer.eq(timer + 1)
    with m.If(timer == divisor - 1):
        m.d.sync += timer.eq(0)


class UartRx(wiring.Component):
    """Receives bytes.

    Latency: ``stb`` comes in the middle of the stop bit. A start bit that ends before its middle is
    ignored. A byte without a stop bit is dropped; the receiver then waits until the line is high.

    Parameters
    ----------
    divisor : int
        Cycles a bit, >= 4.

    Members
    -------
    rx : In(1)
        Asynchronous.
    data : Out(8)
    stb : Out(1)
        A byte is in ``data``, this cycle only.

    Raises
    ------
    ValueError
        If ``divisor`` is too small.
    """

    def __init__(self, divisor: int):
        self._divisor = checked(divisor)
        super().__init__({"rx": In(1, init=1), "data": Out(BYTE_BITS), "stb": Out(1)})

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1, reset_less=False)
        busy = Signal()
        ready = Signal()
        timer = Signal(range(self._divisor))
        place = Signal(range(BYTE_BITS + 2))  # 0 is the start bit, the last one the stop bit
        m.d.sync += self.stb.eq(0)
        with m.If(~busy):
            m.d.sync += [timer.eq(0), place.eq(0), busy.eq(ready & ~line), ready.eq(ready | line)]
        with m.Else():
            advance(m, timer, self._divisor)
            with m.If(timer == self._divisor // 2 - 1):
                m.d.sync += place.eq(place + 1)
                with m.If(place == BYTE_BITS + 1):
                    m.d.sync += [busy.eq(0), self.stb.eq(line), ready.eq(line)]
                with m.Elif(place == 0):
                    m.d.sync += busy.eq(~line)
                with m.Else():
                    m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class UartTx(wiring.Component):
    """Sends bytes.

    Latency: 10 bits and a cycle a byte. ``i`` stalls while a byte is sent.

    Parameters
    ----------
    divisor : int
        Cycles a bit, >= 4.

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1)

    Raises
    ------
    ValueError
        If ``divisor`` is too small.
    """

    def __init__(self, divisor: int):
        self._divisor = checked(divisor)
        super().__init__({"i": In(stream.Signature(BYTE_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self._divisor))
        bits = Signal(range(BYTE_BITS + 3))  # to go
        rest = Signal(BYTE_BITS)
        m.d.comb += self.i.ready.eq(bits == 0)
        with m.If(self.i.ready):
            m.d.sync += [timer.eq(0), rest.eq(self.i.payload)]
            with m.If(self.i.valid):
                m.d.sync += [bits.eq(BYTE_BITS + 2), self.tx.eq(0)]
        with m.Else():
            advance(m, timer, self._divisor)
            with m.If(timer == self._divisor - 1):
                m.d.sync += [bits.eq(bits - 1), Cat(self.tx, rest).eq(Cat(rest, 1))]
        return m


class UartBridge(wiring.Component):
    """Registers and streams behind a serial line. The module's docstring lists the commands.

    Ordering: a command is executed when the reply to the last one is out. Replies go before words
    of ``o``. A FIFO holds ``FIFO_BYTES`` received bytes; further bytes are lost.

    Parameters
    ----------
    divisor : int
        Cycles a bit, >= 4.
    pause_bits : int
        A pause of 2^``pause_bits`` cycles within a command abandons it.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    bus : Out(register_bus())
    i : Out(stream of WORD)
        The accelerator's input.
    o : In(stream of WORD)
        Its output.

    Raises
    ------
    ValueError
        If ``divisor`` is too small.
    """

    def __init__(self, divisor: int, *, pause_bits: int = PAUSE_BITS):
        self._divisor, self._pause_bits = checked(divisor), pause_bits
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "bus": Out(register_bus()),
                "i": Out(stream.Signature(WORD)),
                "o": In(stream.Signature(WORD)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reply = Signal(data.StructLayout({"kind": Reply, "data": DATA_BITS}))
        replying = Signal()
        self._send(m, reply, replying)
        self._receive(m, reply, replying)
        return m

    def _send(self, m, reply, replying):
        """Messages out: the reply if there is one, otherwise a word."""
        m.submodules.sender = sender = UartTx(self._divisor)
        message = Signal(data.StructLayout({"kind": BYTE_BITS, "data": DATA_BITS}))
        left = Signal(range(message.shape().size // BYTE_BITS + 1))
        bits = message.as_value()
        m.d.comb += [
            self.tx.eq(sender.tx),
            sender.i.payload.eq(message.kind),
            sender.i.valid.eq(left != 0),
            self.o.ready.eq((left == 0) & ~replying),
        ]
        with m.If(left != 0):
            with m.If(sender.i.ready):
                m.d.sync += [left.eq(left - 1), bits.eq(bits[BYTE_BITS:])]
        with m.Elif(replying):
            letters = [Mux(reply.kind == kind, ord(LETTERS[kind]), 0) for kind in Reply]
            m.d.sync += [
                message.kind.eq(functools.reduce(operator.or_, letters)),
                message.data.eq(reply.data),
                left.eq(Mux(reply.kind == Reply.READ, 5, 1)),
                replying.eq(0),
            ]
        with m.Else():
            m.d.sync += message.kind.eq(Mux(self.o.payload.last, ord("l"), ord("o")))
            m.d.sync += message.data.eq(self.o.payload.data)
            m.d.sync += left.eq(Mux(self.o.valid, 5, 0))

    def _fifo(self, m, take):
        """The oldest byte that was received, and whether there is one."""
        m.submodules.receiver = receiver = UartRx(self._divisor)
        bytes_ = Signal(data.ArrayLayout(BYTE_BITS, FIFO_BYTES))  # the newest first
        level = Signal(range(FIFO_BYTES + 1))
        put = Signal()
        m.d.comb += [
            receiver.rx.eq(self.rx),
            put.eq(receiver.stb & (level != FIFO_BYTES)),
        ]
        with m.If(put):
            m.d.sync += bytes_.eq(Cat(receiver.data, bytes_.as_value()[:-BYTE_BITS]))
        with m.If(put & ~take):
            m.d.sync += level.eq(level + 1)
        with m.Elif(take & ~put):
            m.d.sync += level.eq(level - 1)
        oldest = [Mux(level == i + 1, byte, 0) for i, byte in enumerate(bytes_)]
        return functools.reduce(operator.or_, oldest), level != 0

    def _receive(self, m, reply, replying):
        """Commands in. A command is taken only when the reply to the last one is out."""
        state = Signal(State)
        waiting = Signal()  # for a byte of a command
        byte = Signal(BYTE_BITS)
        there = Signal()
        taken = Signal()
        m.d.comb += [
            Cat(byte, there).eq(Cat(*self._fifo(m, taken))),
            waiting.eq((state == State.ADDRESS) | (state == State.COUNT) | (state == State.DATA)),
            taken.eq(there & (waiting | ((state == State.COMMAND) & ~replying))),
        ]
        pause = Signal(self._pause_bits)
        with m.If(taken | ~waiting):
            m.d.sync += pause.eq(0)
        with m.Else():
            m.d.sync += pause.eq(pause + 1)
        self._execute(m, state, byte, taken, waiting & ~there & pause.all(), reply, replying)

    def _execute(self, m, state, byte, taken, late, reply, replying):
        """The state machine of a command. ``late``: the pause before a byte is too long.

        A late byte ends three of the states alike, so the state is a register of its own: with
        ``m.FSM`` the branch would be there three times, for a tenth more logic.
        """
        self._reads = reads = Signal(name="reads")  # the command is ``R``, or one of the others
        self._writes = writes = Signal(name="writes")
        self._place = Signal(range(DATA_BITS // BYTE_BITS), name="place")
        self._count = count = Signal(COUNT_BITS, name="count")  # words to come
        self._begun = begun = Signal(name="begun")  # the accelerator has words of this packet
        # The next word is the last one, whatever the count.
        self._closing = closing = Signal(name="closing")
        self._word = word = Signal(DATA_BITS, name="word")
        self._reply, self._replying = reply, replying
        m.d.comb += [
            self.bus.data.eq(word),
            self.bus.strobe.eq(-1),
            self.bus.read.eq((state == State.ACCESS) & reads),
            self.bus.write.eq((state == State.ACCESS) & writes),
            self.i.valid.eq(state == State.STREAM),
            self.i.payload.data.eq(word),
            self.i.payload.last.eq(closing | (count == 1)),
        ]
        with m.If(late):
            self._answer(m, Reply.UNKNOWN)
            m.d.sync += [word.eq(0), closing.eq(1)]
            m.d.sync += state.eq(Mux(begun, State.STREAM, State.COMMAND))
        with m.Elif(state == State.COMMAND):
            self._take_command(m, state, byte, taken)
        with m.Elif(state == State.ADDRESS):
            with m.If(taken):
                m.d.sync += self.bus.address.eq(byte)
                m.d.sync += state.eq(Mux(reads, State.ACCESS, State.DATA))
        with m.Elif(state == State.COUNT):
            with m.If(taken):
                self._take_count(m, state, byte)
        with m.Elif(state == State.DATA):
            with m.If(taken):
                self._take_data(m, state, byte)
        with m.Elif(state == State.STREAM):
            with m.If(self.i.ready):
                m.d.sync += [count.eq(count - 1), begun.eq(1)]
                m.d.sync += state.eq(Mux(self.i.payload.last, State.COMMAND, State.DATA))
        with m.Elif(state == State.ACCESS):
            m.d.sync += state.eq(State.ANSWER)
        with m.Else():
            done = Mux(reads, Reply.READ, Reply.WRITTEN)
            self._answer(m, Mux(self.bus.error, Reply.REFUSED, done))
            m.d.sync += [reply.data.eq(self.bus.answer), state.eq(State.COMMAND)]

    def _answer(self, m, kind):
        """Starts a reply."""
        m.d.sync += [self._reply.kind.eq(kind), self._replying.eq(1)]

    def _take_command(self, m, state, byte, taken):
        """The letter of a command."""
        m.d.sync += [self._reads.eq(byte == ord("R")), self._writes.eq(byte == ord("W"))]
        m.d.sync += [self._place.eq(0), self._begun.eq(0), self._closing.eq(0)]
        with m.If(taken):
            with m.If((byte == ord("R")) | (byte == ord("W"))):
                m.d.sync += state.eq(State.ADDRESS)
            with m.Elif(byte == ord("S")):
                m.d.sync += state.eq(State.COUNT)
            with m.Else():
                self._answer(m, Reply.UNKNOWN)

    def _take_count(self, m, state, byte):
        """A byte of the number of words, the low one first."""
        count, place = self._count, self._place
        m.d.sync += [count.eq(Cat(count[BYTE_BITS:], byte)), place[0].eq(~place[0])]
        with m.If(place[0]):
            some = (count[BYTE_BITS:] | byte).any()
            m.d.sync += state.eq(Mux(some, State.DATA, State.COMMAND))

    def _take_data(self, m, state, byte):
        """A byte of a word, the lowest first."""
        word, place = self._word, self._place
        m.d.sync += [word.eq(Cat(word[BYTE_BITS:], byte)), place.eq(place + 1)]
        with m.If(place.all()):
            m.d.sync += state.eq(Mux(self._writes, State.ACCESS, State.STREAM))
