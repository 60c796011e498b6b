"""Errors at a layer's inputs: row sums of all tiles, scaled to eight bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import ERROR_LIMIT, AcceleratorConfig
from hdl.count import add_up
from hdl.delay import delayed

_BITS = ERROR_LIMIT.bit_length() + 1


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
                "word": Out(data.ArrayLayout(signed(_BITS), config.array.rows)),
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
        # To even: half of the last place less one is added, and the place itself. A shift by more
        # than the width leaves 0 as one by the width does.
        shift = Signal(range(width + 1))
        half = Signal(width)
        m.d.comb += [
            shift.eq(Mux(self.shift > width, width, self.shift)),
            half.eq(((1 << shift) >> 1) - shift.any()),
        ]
        for j in range(config.array.rows):
            total = Signal(signed(width), name=f"total_{j}")
            odd = Signal(name=f"odd_{j}")
            near = Signal(signed(width + 1), name=f"near_{j}")
            down = Signal(signed(width + 1), name=f"down_{j}")
            with m.If(self.valid):
                m.d.sync += total.eq(add_up([tile[j] for tile in self.errors]))
            m.d.comb += [
                odd.eq(Cat(total, total[-1]).bit_select(shift, 1) & shift.any()),
                near.eq(total + half + odd),
                down.eq(near >> shift),
            ]
            # Clipped by its bits, since comparing takes a chain of carries for each bound.
            low, high, negative = down[: _BITS - 1], down[_BITS - 1 : -1], down[-1]
            over = ~negative & high.any()
            under = negative & (~high.all() | ~low.any())
            limit = Mux(negative, -ERROR_LIMIT, ERROR_LIMIT)
            with m.If(waiting):
                m.d.sync += self.word[j].eq(Mux(over | under, limit, down))
        return m
