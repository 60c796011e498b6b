"""The ternary dot product: one column's converter."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.count import count_ones


class TernaryDot(wiring.Component):
    """Dot product of two trit vectors: +1 products minus -1 products.

    Latency 1 cycle, one vector a cycle, held while ``en`` is low. A trit is a bit of the plane
    "not zero" and one of the plane "negative"; "negative" counts only where "not zero" is set.

    Parameters
    ----------
    length : int
        Trits per vector, >= 1.

    Members
    -------
    en : In(1)
    w_nonzero, w_negative, u_nonzero, u_negative : In(length)
    sum : Out(signed)
        Range [-length, length].

    Raises
    ------
    ValueError
        If ``length`` < 1.

    References
    ----------
    Golden twin: ``golden.array.GoldenArray.forward``.
    """

    def __init__(self, *, length: int):
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length!r}")
        self._length = length
        planes = ("w_nonzero", "w_negative", "u_nonzero", "u_negative")
        super().__init__(
            {"en": In(1), "sum": Out(signed(length.bit_length() + 1))}
            | {plane: In(length) for plane in planes}
        )

    def elaborate(self, platform):
        m = Module()
        nonzero = Signal(self._length)
        negative = Signal(self._length)
        m.d.comb += [
            nonzero.eq(self.w_nonzero & self.u_nonzero),
            negative.eq(self.w_negative ^ self.u_negative),
        ]
        plus = count_ones(m, nonzero & ~negative)
        minus = count_ones(m, nonzero & negative)
        plus_count = Signal(self._length.bit_length())
        minus_count = Signal.like(plus_count)
        with m.If(self.en):
            m.d.sync += [plus_count.eq(plus), minus_count.eq(minus)]
        m.d.comb += self.sum.eq(plus_count - minus_count)
        return m
