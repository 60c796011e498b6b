"""Errors at a layer's inputs: row sums of all tiles, scaled to eight bits."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import ERROR_LIMIT, AcceleratorConfig
from hdl.accel.loops import clip, delayed
from hdl.count import add_up


class Requantise(wiring.Component):
    """x / 2^shift, halves to even, clipped to +-127; two cycles later.

    Members
    -------
    valid : In(1); shift : In(5); errors : In, a tile and row
    write : Out(1); word : Out(8 rows)
    busy : Out(1)

    References
    ----------
    Golden twin: ``golden.accel.arithmetic.requantise``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        rows = data.ArrayLayout(signed(config.array.back_bits), config.array.rows)
        super().__init__(
            {
                "valid": In(1),
                "shift": In(5),
                "errors": In(data.ArrayLayout(rows, config.tiles)),
                "write": Out(1),
                "word": Out(data.ArrayLayout(signed(8), config.array.rows)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        width = config.array.back_bits + config.tiles.bit_length()
        waiting = delayed(m, self.valid, 1)
        m.d.sync += self.write.eq(waiting)
        m.d.comb += self.busy.eq(self.valid | waiting | self.write)
        mask = Signal(32)
        half = Signal(31)
        m.d.comb += [mask.eq((1 << self.shift) - 1), half.eq((1 << self.shift) >> 1)]
        for j in range(config.array.rows):
            total = Signal(signed(width), name=f"total_{j}")
            down, rest = Signal.like(total, name=f"down_{j}"), Signal(32, name=f"rest_{j}")
            with m.If(self.valid):
                m.d.sync += total.eq(add_up([tile[j] for tile in self.errors]))
            m.d.comb += [down.eq(total >> self.shift), rest.eq(total & mask)]
            up = (rest > half) | ((rest == half) & down[0] & self.shift.any())
            with m.If(waiting):
                m.d.sync += self.word[j].eq(clip(down + up, -ERROR_LIMIT, ERROR_LIMIT))
        return m
