"""Errors at a layer's inputs: row sums of all tiles, scaled to eight bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import ERROR_LIMIT, AcceleratorConfig
from hdl.count import add_up

_BITS = ERROR_LIMIT.bit_length() + 1


class Requantise(wiring.Component):
    """x / 2^shift, halves to even, clipped to +-127; a part of a word's lanes each cycle.

    Members
    -------
    valid : In(1); shift : In(5); errors : In, a tile and row
        Not again before ``AcceleratorConfig.requantise_turns`` cycles.
    lanes : Out(rows); word : Out(8 rows)
        From two cycles later on: lanes of ``word`` that there are in this cycle, lane 0 first.
    last : Out(1)
        They are the word's last.
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
                "lanes": Out(config.array.rows),
                "word": Out(config.array.rows * _BITS),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        rows, together = config.array.rows, config.requantisers
        turns = config.requantise_turns
        width = config.array.back_bits + config.tiles.bit_length()

        totals = [Signal(signed(width), name=f"total_{j}") for j in range(rows)]
        left = Signal(range(turns + 1))
        first = Signal()
        with m.If(self.valid):
            m.d.sync += left.eq(turns)
            m.d.sync += [t.eq(add_up([e[j] for e in self.errors])) for j, t in enumerate(totals)]
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
            m.d.sync += [
                t.eq(further) for t, further in zip(totals, totals[together:], strict=False)
            ]
        m.d.sync += [first.eq(self.valid), self.last.eq(left == 1)]
        with m.If(first):
            m.d.sync += self.lanes.eq((1 << together) - 1)
        with m.Else():
            m.d.sync += self.lanes.eq(self.lanes << together)
        m.d.comb += self.busy.eq(self.valid | left.any() | self.last)

        # To even: half of the last place less one is added, and the place itself. A shift by more
        # than the width leaves 0 as one by the width does.
        shift = Signal(range(width + 1))
        half = Signal(width)
        m.d.comb += [
            shift.eq(Mux(self.shift > width, width, self.shift)),
            half.eq(((1 << shift) >> 1) - shift.any()),
        ]
        scaled = Signal(data.ArrayLayout(_BITS, together))
        for j, total in enumerate(totals[:together]):
            odd = Signal(name=f"odd_{j}")
            near = Signal(signed(width + 1), name=f"near_{j}")
            down = Signal(signed(width + 1), name=f"down_{j}")
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
            m.d.sync += scaled[j].eq(Mux(over | under, limit, down))
        m.d.comb += self.word.eq(scaled.as_value().replicate(turns)[: rows * _BITS])
        return m
