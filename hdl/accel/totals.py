"""Totals of a column: sums over row tiles, and the largest of each pooling window."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import TOTAL_BITS, AcceleratorConfig
from hdl.accel.issue import marks_layout
from hdl.accel.layouts import total_layout
from hdl.lib.lint import unused


class Totals(wiring.Component):
    """Adds the tiles' sums up to a column's totals: one word of all tiles for each position.

    Latency: the total is written in the cycle of its last sum. One sum a cycle; it never stalls.

    Ordering: columns go to the two banks of the memory in turn.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    start : In(1)
        A FORWARD instruction begins.
    marks : In(marks_layout)
        Marks of the step that ``sums`` belongs to. ``valid`` only in FORWARD.
    sums : In, one for each tile
    limit : In(16)
        Sums are clipped to +-``limit``; 0 does not clip.
    write : Out(1); bank : Out(1); position : Out(16); totals : Out(total_layout, a tile)
        Write port of the memory of totals.
    done : Out(1)
        With ``write``: the column is complete. ``column_sums`` hold its sums from the next cycle
        until the next column's first total.
    column_sums : Out, one for each tile
        Sum of the totals over all positions.
    beyond : Out(1)
        The position lies beyond the memory.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "marks": In(marks_layout()),
                "sums": In(data.ArrayLayout(signed(config.array.sum_bits), config.tiles)),
                "limit": In(16),
                "write": Out(1),
                "bank": Out(1),
                "position": Out(16),
                "totals": Out(data.ArrayLayout(total_layout(), config.tiles)),
                "done": Out(1),
                "column_sums": Out(data.ArrayLayout(signed(config.sum_bits), config.tiles)),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        marks = self.marks
        unused(m, marks)
        complete = Signal()
        m.d.comb += complete.eq(marks.valid & marks.end & marks.place_last)
        new_column = Signal(init=1)
        for tile in range(self._config.tiles):
            total = Signal(signed(TOTAL_BITS), name=f"total_{tile}")
            best = Signal(signed(TOTAL_BITS), name=f"best_{tile}")
            so_far = Signal.like(total, name=f"so_far_{tile}")
            clipped = Signal(signed(self._config.array.sum_bits), name=f"clipped_{tile}")
            place = Signal.like(marks.place, name=f"place_{tile}")
            best_place = Signal.like(marks.place, name=f"best_place_{tile}")
            value, limit = self.sums[tile], self.limit.as_unsigned()
            m.d.comb += [
                clipped.eq(Mux(limit.any(), _within(value, limit), value)),
                total.eq(Mux(marks.begin, 0, so_far) + clipped),
                best.eq(total),
                place.eq(marks.place),
            ]
            highest = Signal.like(total, name=f"highest_{tile}")
            with m.If(~marks.place_first & (highest >= total)):
                m.d.comb += [best.eq(highest), place.eq(best_place)]
            with m.If(marks.valid):
                m.d.sync += so_far.eq(total)
                with m.If(marks.end):
                    m.d.sync += [highest.eq(best), best_place.eq(place)]
            m.d.comb += [self.totals[tile].total.eq(best), self.totals[tile].place.eq(place)]
            with m.If(complete):
                own = self.column_sums[tile]
                m.d.sync += own.eq(Mux(new_column, 0, own) + best)
        m.d.comb += [
            self.write.eq(complete & ~self.beyond),
            self.beyond.eq(complete & (self.position >= self._config.positions)),
            self.done.eq(marks.valid & marks.column),
        ]
        with m.If(self.start):
            m.d.sync += [self.position.eq(0), self.bank.eq(0), new_column.eq(1)]
        with m.Elif(complete):
            m.d.sync += [self.position.eq(self.position + 1), new_column.eq(0)]
            with m.If(self.done):
                m.d.sync += [self.position.eq(0), self.bank.eq(~self.bank), new_column.eq(1)]
        return m


def _within(x, limit):
    """``x`` clipped to +-``limit``."""
    return Mux(x > limit, limit, Mux(x < -limit, -limit, x))
