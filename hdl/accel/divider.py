"""Unsigned division, a bit a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Divider(wiring.Component):
    """Quotient of two unsigned numbers, rounded down. Division by 0 gives all ones.

    Latency: ``width`` cycles after ``start``. The quotient stays until the next start.

    Parameters
    ----------
    width : int
        Bits of dividend, divisor and quotient.

    Members
    -------
    start : In(1)
    dividend : In(width)
        Read in the cycle of ``start``.
    divisor : In(width)
        Must not change until the quotient is valid.
    quotient : Out(width)
    """

    def __init__(self, width: int):
        self._width = width
        super().__init__(
            {
                "start": In(1),
                "dividend": In(width),
                "divisor": In(width),
                "quotient": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rest = Signal(self._width)
        left = Signal(range(self._width + 1))
        trial = Signal(self._width + 1)
        m.d.comb += trial.eq(Cat(self.quotient[-1], rest))
        fits = trial >= self.divisor
        with m.If(self.start):
            m.d.sync += [left.eq(self._width), rest.eq(0), self.quotient.eq(self.dividend)]
        with m.Elif(left.any()):
            m.d.sync += [
                left.eq(left - 1),
                rest.eq(Mux(fits, trial - self.divisor, trial)),
                self.quotient.eq(Cat(fits, self.quotient[:-1])),
            ]
        return m
