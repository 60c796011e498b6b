"""The backward read of one row: sum of w_ij d_i over columns."""

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.count import add_up


class RowAccumulator(wiring.Component):
    """Adds w d for ``columns`` columns a cycle.

    Latency 1 cycle: ``sum`` includes what was accepted with ``en`` in the cycle before.

    Parameters
    ----------
    columns : int
        Columns a cycle, >= 1.
    error_bits, sum_bits : int
        Widths of the signed error and of the signed sum.

    Members
    -------
    en : In(1)
        Add this cycle's products.
    first : In(1)
        With ``en``: start from zero.
    nonzero, negative : In(columns)
        The row's weights.
    d : In(columns signed errors)
    sum : Out(signed(sum_bits))

    Raises
    ------
    ValueError
        If ``columns`` < 1.

    References
    ----------
    Golden twin: ``golden.array.GoldenArray.backward``.
    """

    def __init__(self, *, columns: int, error_bits: int, sum_bits: int):
        if columns < 1:
            raise ValueError(f"columns must be at least 1, not {columns!r}")
        self._columns = columns
        super().__init__(
            {
                "en": In(1),
                "first": In(1),
                "nonzero": In(columns),
                "negative": In(columns),
                "d": In(data.ArrayLayout(signed(error_bits), columns)),
                "sum": Out(signed(sum_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        with m.If(self.en):
            terms = [
                Mux(self.nonzero[i], Mux(self.negative[i], -self.d[i], self.d[i]), 0)
                for i in range(self._columns)
            ]
            terms.append(Mux(self.first, 0, self.sum))
            m.d.sync += self.sum.eq(add_up(terms))
        return m
