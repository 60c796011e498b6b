"""Backward read of one row: sum of w_ij d_i over the columns."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.lib.adders import adder_tree

LATENCY = 2


class RowAccumulator(wiring.Component):
    """Adds w d for ``columns`` columns a cycle.

    Latency: ``sum`` is valid 2 cycles after the last step of its vector, and holds. One step a
    cycle; it never stalls. The running sum is cleared at the end of a vector, which saves a
    multiplexer at the start of the next.

    Parameters
    ----------
    columns : int
        Columns a cycle, >= 1.
    error_bits, sum_bits : int
        Widths of the signed error and of the signed sum.

    Members
    -------
    add : In(1)
        Add this cycle's products.
    last : In(1)
        The vector ends with this cycle, with or without ``add``.
    nonzero, negative : In(columns)
        The row's weights.
    d, minus : In(columns signed errors), ``minus`` one bit wider
        Errors and their opposites, shared by all rows.
    sum : Out(signed(sum_bits))

    Raises
    ------
    ValueError
        If ``columns`` < 1.

    References
    ----------
    Golden twin: ``golden.array.golden.GoldenArray.backward``.
    """

    def __init__(self, *, columns: int, error_bits: int, sum_bits: int):
        if columns < 1:
            raise ValueError(f"columns must be at least 1, not {columns!r}")
        self._columns, self._error_bits = columns, error_bits
        super().__init__(
            {
                "add": In(1),
                "last": In(1),
                "nonzero": In(columns),
                "negative": In(columns),
                "d": In(data.ArrayLayout(signed(error_bits), columns)),
                "minus": In(data.ArrayLayout(signed(error_bits + 1), columns)),
                "sum": Out(signed(sum_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        terms = [
            Mux(self.nonzero[i], Mux(self.negative[i], self.minus[i], self.d[i]), 0)
            for i in range(self._columns)
        ]
        term = Signal.like(adder_tree(terms), name="term")
        running = Signal.like(self.sum)
        last = Signal()
        total = Signal.like(self.sum)
        m.d.comb += total.eq(running + term)
        m.d.sync += [
            term.eq(Mux(self.add, adder_tree(terms), 0)),
            last.eq(self.last),
            running.eq(total),
        ]
        with m.If(last):
            m.d.sync += [self.sum.eq(total), running.eq(0)]
        return m
