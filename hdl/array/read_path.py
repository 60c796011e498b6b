"""Read path of the array: converters of columns, accumulators of rows."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.config import ArrayConfig
from hdl.lib.accumulator import LATENCY as ACCUMULATED
from hdl.lib.accumulator import RowAccumulator
from hdl.lib.delay import delayed
from hdl.lib.dot import LATENCY, TernaryDot


class ReadPath(wiring.Component):
    """Dot products of the columns of a memory word, and row sums over columns.

    Latency: ``hdl.lib.dot.LATENCY`` cycles for both. One step a cycle; it never stalls.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    word : In
        Cell bits of ``columns_per_cycle`` columns, in the order of the memory.
    u_nonzero, u_negative : In(rows)
        The input vector.
    d : In(columns_per_cycle signed errors)
    add, last : In(1)
        Add the columns' products with ``d`` to the row sums; the vector ends.
    sums : Out
        Column sums.
    errors : Out
        Row sums. They hold from the end of a vector to the end of the next.

    References
    ----------
    Golden twin: ``golden.array.golden.GoldenArray``, ``forward`` and ``backward``.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        rows, columns = config.rows, config.columns_per_cycle
        super().__init__(
            {
                "word": In(rows * config.cells * columns),
                "u_nonzero": In(rows),
                "u_negative": In(rows),
                "d": In(data.ArrayLayout(signed(config.error_bits), columns)),
                "add": In(1),
                "last": In(1),
                "sums": Out(data.ArrayLayout(signed(config.sum_bits), columns)),
                "errors": Out(data.ArrayLayout(signed(config.back_bits), rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        nonzero, negative = self._planes(m, self.word, "now")
        for i in range(config.columns_per_cycle):
            m.submodules[f"dot_{i}"] = dot = TernaryDot(length=config.rows)
            m.d.comb += [
                dot.w_nonzero.eq(nonzero[i]),
                dot.w_negative.eq(negative[i]),
                dot.u_nonzero.eq(self.u_nonzero),
                dot.u_negative.eq(self.u_negative),
                self.sums[i].eq(dot.sum),
            ]

        # An accumulator has fewer stages than a converter.
        early = LATENCY - ACCUMULATED
        word, d = (delayed(m, value, early, reset_less=True) for value in (self.word, self.d))
        opposites = Cat((-each)[: len(each) + 1] for each in self.d)
        minus = delayed(m, opposites, early, "minus", reset_less=True)
        add, last = (delayed(m, flag, early) for flag in (self.add, self.last))
        nonzero, negative = self._planes(m, word, "later")
        for j in range(config.rows):
            # nextpnr places one of two registers beside the adder before them: the one whose name
            # is last. The running sum has the longer path, so "total" comes after "sum".
            m.submodules[f"total_{j}"] = accumulator = RowAccumulator(
                columns=config.columns_per_cycle,
                error_bits=config.error_bits,
                sum_bits=config.back_bits,
            )
            m.d.comb += [
                accumulator.add.eq(add),
                accumulator.last.eq(last),
                accumulator.nonzero.eq(Cat(plane[j] for plane in nonzero)),
                accumulator.negative.eq(Cat(plane[j] for plane in negative)),
                accumulator.d.eq(d),
                accumulator.minus.eq(minus),
                self.errors[j].eq(accumulator.sum),
            ]
        return m

    def _planes(self, m, word, when):
        """Planes "not zero" and "negative" of the weights, for each column of a memory word."""
        rows, cells = self._config.rows, self._config.cells
        nonzero, negative = [], []
        for i in range(self._config.columns_per_cycle):
            column = word.word_select(i, rows * cells)
            nonzero.append(Signal(rows, name=f"nonzero_{when}_{i}"))
            negative.append(Signal(rows, name=f"negative_{when}_{i}"))
            if cells == 2:
                m.d.comb += [
                    nonzero[i].eq(column[:rows] ^ column[rows:]),
                    negative[i].eq(column[rows:]),
                ]
            else:
                m.d.comb += [nonzero[i].eq(~0), negative[i].eq(~column)]
        return nonzero, negative
