"""The generator of random draws."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.lfsr import STATE_BITS, TAPS


class Lfsr(wiring.Component):
    """Leap-forward LFSR that advances a whole draw at a time.

    A leap of K <= 64 - 29 steps is a shift by K and K exclusive-ors of four state bits.

    Parameters
    ----------
    draw_bits : int
        K, 1 to 35.
    init : int
        State at power-up, 1 to 2^64 - 1.

    Members
    -------
    en : In(1)
        Advance by one draw.
    load : In(1)
        With ``en``: shift ``word`` in at the top instead of K new bits.
    word : In(draw_bits)
    draw : Out(draw_bits)
        The low K bits of the state: this draw, and what a shift pushes out.

    Raises
    ------
    ValueError
        If ``draw_bits`` or ``init`` is out of range.

    References
    ----------
    Golden twin: ``golden.lfsr.Streams``.
    """

    def __init__(self, *, draw_bits: int, init: int = 1):
        if not 1 <= draw_bits <= STATE_BITS - TAPS[-1]:
            raise ValueError(
                f"draw_bits must be in 1 to {STATE_BITS - TAPS[-1]}, not {draw_bits!r}"
            )
        if not 1 <= init < 1 << STATE_BITS:
            raise ValueError(f"init must be in 1 to 2^{STATE_BITS} - 1, not {init!r}")
        self._draw_bits, self._init = draw_bits, init
        super().__init__(
            {"en": In(1), "load": In(1), "word": In(draw_bits), "draw": Out(draw_bits)}
        )

    def elaborate(self, platform):
        m = Module()
        width = self._draw_bits
        state = Signal(STATE_BITS, init=self._init)
        m.d.comb += self.draw.eq(state[:width])
        with m.If(self.en):
            new = state[TAPS[0] : TAPS[0] + width]
            for tap in TAPS[1:]:
                new = new ^ state[tap : tap + width]
            m.d.sync += state.eq(Cat(state[width:], Mux(self.load, self.word, new)))
        return m
