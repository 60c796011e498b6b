"""FIFO for a source that cannot stall."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.lib.delay import delayed


class Fifo(wiring.Component):
    """Takes words without a handshake and gives a stream.

    Latency: 3 cycles from ``write`` to ``o.valid`` if the FIFO is empty. One word a cycle.

    Stalls: none on the input side. The writer must never have more than ``depth`` words in it.

    Parameters
    ----------
    layout : StructLayout
        Layout of a word.
    depth : int
        A power of two, >= 2.

    Members
    -------
    write : In(1)
    word : In(layout)
    o : Out(stream of layout)
    """

    def __init__(self, layout: data.StructLayout, depth: int):
        self._layout, self._depth = layout, depth
        super().__init__({"write": In(1), "word": In(layout), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self._layout).width
        m.submodules.memory = memory = Memory(shape=width, depth=self._depth, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        head = Signal(range(self._depth))
        tail = Signal(range(self._depth))
        level = Signal(range(self._depth + 1))
        # Set while a word waits. It is a register, since it drives the many registers of a word.
        some = Signal()
        take = Signal()
        # A register before the memory: words come from distant logic.
        m.d.comb += [
            write.addr.eq(head),
            write.data.eq(delayed(m, self.word.as_value(), 1, "came", reset_less=True)),
            write.en.eq(delayed(m, self.write, 1)),
            read.addr.eq(tail),
        ]
        m.d.comb += take.eq(some & (self.o.ready | ~self.o.valid))
        m.d.sync += [
            head.eq(head + write.en),
            level.eq(level + write.en - take),
            some.eq(write.en | (level > 1) | (some & ~take)),
        ]
        word = Signal(width, name="held", reset_less=True)
        m.d.comb += self.o.payload.as_value().eq(word)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [word.eq(read.data), tail.eq(tail + 1), self.o.valid.eq(1)]
        return m
