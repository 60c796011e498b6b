"""Ternary dot product: the converter of one column."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.lib.adders import carry_save_adder

_GROUP = 4
# Levels of full adders before the first register and before the second; the sum is the third.
_CUTS = (0, 3)
LATENCY = 3


class TernaryDot(wiring.Component):
    """Dot product of two trit vectors: +1 products minus -1 products.

    Latency: 3 cycles. One vector a cycle; it never stalls.

    A trit has a bit in the plane "not zero" and one in the plane "negative". "Negative" counts only
    where "not zero" is set.

    Area: every product p is a number p + 1 of two bits, and one tree adds them all. Four products
    form a chain of full adders, each of a product and the sum bit before it. If the product is odd,
    the sum bit is inverted and the carry is "not negative"; otherwise the carry is the sum bit.
    This takes three lookup tables of four inputs a row. A full adder of two separate bits would
    take four.

    Parameters
    ----------
    length : int
        Trits per vector, >= 1.

    Members
    -------
    w_nonzero, w_negative, u_nonzero, u_negative : In(length)
    sum : Out(signed)
        Range [-length, length].

    Raises
    ------
    ValueError
        If ``length`` < 1.

    References
    ----------
    Golden twin: ``golden.array.golden.GoldenArray.forward``.
    """

    def __init__(self, *, length: int):
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length!r}")
        self._length = length
        planes = ("w_nonzero", "w_negative", "u_nonzero", "u_negative")
        super().__init__(
            {"sum": Out(signed(length.bit_length() + 1))} | {plane: In(length) for plane in planes}
        )

    def elaborate(self, platform):
        m = Module()
        groups = -(-self._length // _GROUP)
        padded = groups * _GROUP
        odd = Signal(self._length)
        plus = Signal(self._length)
        m.d.comb += [
            odd.eq(self.w_nonzero & self.u_nonzero),
            plus.eq(~(self.w_negative ^ self.u_negative)),
        ]
        odd, plus = (Cat(plane, Const(0, padded - self._length)) for plane in (odd, plus))
        bit, carries = Const(0, groups), []
        for i in range(_GROUP):
            turned = odd[i * groups : (i + 1) * groups]
            carry = Signal(groups, name=f"carry_{i}")
            m.d.comb += carry.eq((turned & plus[i * groups : (i + 1) * groups]) | (~turned & bit))
            carries.append(carry)
            following = Signal(groups, name=f"bit_{i}")
            m.d.comb += following.eq(~(turned ^ bit))
            bit = following

        def register(value: Value) -> Value:
            held = Signal(len(value), name=f"held_{len(stages)}", reset_less=True)
            stages.append(held)
            m.d.sync += held.eq(value)
            return held

        stages: list[Value] = []
        total = carry_save_adder(m, [bit, Cat(carries)], cuts=_CUTS, register=register)
        counted = Signal(len(self.sum))
        m.d.sync += counted.eq(total)
        m.d.comb += self.sum.eq(counted - padded)
        return m
