"""An array behind a serial line, for FPGAs too small for the accelerator."""

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames, serial
from golden.array.frames import HEADER
from golden.config import ArrayConfig
from golden.registers import DATA_BITS
from hdl.array.array_top import ArrayTop
from hdl.array.controller import word_layout
from hdl.bus.registers import register_bus
from hdl.bus.uart import WORD, UartBridge
from hdl.lib.lint import unused


class FrameParts(wiring.Component):
    """Joins 32-bit parts to an array's wide words, and splits results into parts.

    Latency: a word goes to the array a cycle after its last part. One part a cycle.

    Ordering: a frame is taken when the answer to the last one is out, since the number of parts of
    a result word depends on the command. A frame that ends within a word fills the word with
    zeros, so that the array sees the end of the frame.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    i, o : In, Out(stream of WORD)
        Frames in parts.
    frame_i, frame_o : Out, In(stream)
        Frames of ``hdl.array.array_top.ArrayTop``.

    References
    ----------
    ``golden.array.serial``.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(WORD)),
                "o": Out(stream.Signature(WORD)),
                "frame_i": Out(stream.Signature(word_layout(frames.data_bits(config)))),
                "frame_o": In(stream.Signature(word_layout(frames.result_bits(config)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        op = Signal(HEADER["op"][1])
        answering = Signal()  # a frame has begun, and its answer is not complete
        self._gather(m, op, answering, serial.parts(frames.data_bits(config)))
        self._scatter(m, op, answering, serial.parts(frames.result_bits(config)))
        return m

    def _gather(self, m, op, answering, parts):
        frame = self.frame_i
        word = Signal(data.ArrayLayout(DATA_BITS, parts))
        part = Signal(range(parts))
        beginning = Signal(init=1)
        full = Signal()
        last = Signal()
        m.d.comb += [
            self.i.ready.eq(~full & ~(beginning & answering)),
            frame.valid.eq(full),
            frame.p.data.eq(word.as_value()),
            frame.p.last.eq(last),
        ]
        unused(m, word)
        with m.If(self.i.valid & self.i.ready):
            for i, piece in enumerate(word):
                with m.If(part == i):
                    m.d.sync += piece.eq(self.i.p.data)
            m.d.sync += [part.eq(part + 1), last.eq(self.i.p.last)]
            with m.If((part == parts - 1) | self.i.p.last):
                m.d.sync += [part.eq(0), full.eq(1)]
            with m.If(beginning):
                m.d.sync += [beginning.eq(0), answering.eq(1), op.eq(self.i.p.data[: len(op)])]
        with m.If(full & frame.ready):
            m.d.sync += [full.eq(0), word.eq(0), beginning.eq(last)]

    def _scatter(self, m, op, answering, parts):
        frame = self.frame_o
        part = Signal(range(parts))
        final = Signal(range(parts))  # the last part of this word
        with m.Switch(op):
            for known in frames.known(self._config):
                count = serial.result_parts(known, self._config)
                if count > 1:
                    with m.Case(known):
                        m.d.comb += final.eq(count - 1)
        with m.If(frame.p.last):
            m.d.comb += final.eq(serial.TRAILER_PARTS - 1)
        ends = part == final
        m.d.comb += [
            self.o.valid.eq(frame.valid),
            self.o.p.data.eq(frame.p.data.word_select(part, DATA_BITS)),
            self.o.p.last.eq(frame.p.last & ends),
            frame.ready.eq(self.o.ready & ends),
        ]
        with m.If(frame.valid & self.o.ready):
            m.d.sync += part.eq(part + 1)
            with m.If(ends):
                m.d.sync += part.eq(0)
                with m.If(frame.p.last):
                    m.d.sync += answering.eq(0)


class SerialRegisters(wiring.Component):
    """The registers of ``golden.array.serial``: constants.

    Latency: the answer comes in the cycle after the access. Writes are refused.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    bus : In(register_bus())
    """

    def __init__(self, config: ArrayConfig):
        self._words = serial.registers(config)
        super().__init__({"bus": In(register_bus())})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        unused(m, Cat(bus.address, bus.data, bus.strobe, bus.read))
        chosen = {at: bus.address[2:] == at >> 2 for at in self._words}
        word = (Mux(chosen[at], word, 0) for at, word in self._words.items())
        m.d.sync += [
            bus.answer.eq(functools.reduce(operator.or_, word)),
            bus.error.eq(bus.write | ~Cat(chosen.values()).any()),
        ]
        return m


class UartArray(wiring.Component):
    """The array and its controller behind a serial line.

    Commands and flow control: ``hdl.bus.uart``. Ordering: ``FrameParts``.

    Parameters
    ----------
    config : ArrayConfig
        ``columns_per_cycle`` must be 1.
    divisor : int
        Clock cycles a bit.

    Members
    -------
    rx : In(1); tx : Out(1)

    Raises
    ------
    TypeError, ValueError
        If ``config`` is not an ArrayConfig or does not fit the link registers, or ``divisor`` is
        too small.

    References
    ----------
    Host: ``spintrit.board.array``.
    """

    def __init__(self, config: ArrayConfig, divisor: int):
        self._top, self._bridge = ArrayTop(config), UartBridge(divisor)
        self._registers = SerialRegisters(config)
        self._parts = FrameParts(config)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = top = self._top
        m.submodules.bridge = bridge = self._bridge
        m.submodules.registers = registers = self._registers
        m.submodules.parts = parts = self._parts
        wiring.connect(m, bridge.bus, registers.bus)
        wiring.connect(m, bridge.i, parts.i)
        wiring.connect(m, parts.o, bridge.o)
        wiring.connect(m, parts.frame_i, top.i)
        wiring.connect(m, top.o, parts.frame_o)
        unused(m, top.cause)  # each trailer has it
        m.d.comb += [bridge.rx.eq(self.rx), self.tx.eq(bridge.tx)]
        return m
