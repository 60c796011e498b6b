"""Nested loops that count addresses by strides."""

import functools
import operator
from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

COUNT_BITS = 16
ADDRESS_BITS = 17  # one more than a memory's, so that the first address beyond it shows


class Loops(wiring.Component):
    """Nested loops, level 0 the outermost, that count addresses.

    An address is its base plus, for each level, index times stride. The strides are added step by
    step, without a multiplier.

    Latency: the first point is valid in the cycle after ``start``. One point a cycle.

    Parameters
    ----------
    levels, addresses : int
        Number of loops, and of addresses.

    Members
    -------
    start : In(1)
        Restart at ``base``.
    stop : In(1)
        End the loops.
    base, counts, strides : In
        Start of each address; count of each level, at least 1; stride of each address and level.
    step : In(1)
        Go to the next point.
    valid : Out(1)
        The outputs show a point of the loops.
    index : Out, one for each level
    first, last : Out(levels)
        The level's index is its first, its last.
    goes_on : Out(levels)
        The level whose index the next step increments. The levels inside it restart.
    address : Out, one for each of ``addresses``
    """

    def __init__(self, levels: int, addresses: int):
        self._levels, self._addresses = levels, addresses
        self._strides = data.ArrayLayout(data.ArrayLayout(COUNT_BITS, levels), addresses)
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "base": In(data.ArrayLayout(ADDRESS_BITS, addresses)),
                "counts": In(data.ArrayLayout(COUNT_BITS, levels)),
                "strides": In(self._strides),
                "step": In(1),
                "valid": Out(1),
                "index": Out(data.ArrayLayout(COUNT_BITS, levels)),
                "first": Out(levels),
                "last": Out(levels),
                "goes_on": Out(levels),
                "address": Out(data.ArrayLayout(ADDRESS_BITS, addresses)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        levels = range(self._levels)
        m.d.comb += [
            self.first.eq(Cat(self.index[i] == 0 for i in levels)),
            self.last.eq(Cat(self.index[i] + 1 == self.counts[i] for i in levels)),
        ]
        # A level goes on when all levels inside it are at their last index.
        carry = [self.last[i + 1 :].all() if i + 1 < self._levels else 1 for i in levels]
        goes_on = self.goes_on
        m.d.comb += goes_on.eq(Cat(carry[i] & ~self.last[i] for i in levels))
        with m.If(self.start):
            m.d.sync += [self.valid.eq(1), self.index.eq(0)]
        with m.Elif(self.stop):
            m.d.sync += self.valid.eq(0)
        with m.Elif(self.step & self.valid):
            m.d.sync += self.valid.eq(~self.last.all())
            for i in levels:
                with m.If(goes_on[i]):
                    m.d.sync += self.index[i].eq(self.index[i] + 1)
                with m.Elif(carry[i]):
                    m.d.sync += self.index[i].eq(0)

        for k in range(self._addresses):
            starts = [Signal(ADDRESS_BITS, name=f"at_{k}_{i}") for i in levels]
            following = Signal(ADDRESS_BITS, name=f"next_{k}")
            stride = Signal(COUNT_BITS, name=f"stride_{k}")
            here = Signal(ADDRESS_BITS, name=f"from_{k}")
            for i in levels:
                with m.If(goes_on[i]):
                    m.d.comb += [here.eq(starts[i]), stride.eq(self.strides[k][i])]
            m.d.comb += [following.eq(here + stride), self.address[k].eq(starts[-1])]
            for i in levels:
                with m.If(self.start):
                    m.d.sync += starts[i].eq(self.base[k])
                with m.Elif(self.step & goes_on[: i + 1].any()):
                    m.d.sync += starts[i].eq(following)
        return m


def lookup(index, values: Sequence[int], width: int):
    """The value of ``width`` bits at an index; 0 beyond the last."""
    chosen = (Mux(index == i, Const(value, width), 0) for i, value in enumerate(values))
    return functools.reduce(operator.or_, chosen)


def clip(x, low: int, high: int):
    """``x`` between two bounds."""
    return Mux(x > high, high, Mux(x < low, low, x))
