"""Random generator of a cell."""

from amaranth.hdl import Cat, Const, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.array.lfsr import STATE_BITS, TAPS
from hdl.lib.lint import unused


class Lfsr(wiring.Component):
    """Leap-forward LFSR that advances a whole draw at a time.

    A leap of K <= 64 - 29 steps is a shift by K and K exclusive-ors of four state bits. One bit
    exclusive-or'd into each leap after a restart leads to any state in 64 leaps. That costs less
    logic than loading a state (see ``golden.array.lfsr.injections``).

    Latency: the next draw is valid in the cycle after ``en``. One draw a cycle.

    Parameters
    ----------
    draw_bits : int
        K, 1 to 35.
    init : int
        State at power-up and restart, 1 to 2^64 - 1; reset alone leaves it as it is.

    Members
    -------
    en : In(1)
        Advance by one draw.
    restart : In(1)
        Go back to ``init`` instead, whether ``en`` or not.
    inject : In(1)
        With ``en``: flip the newest bit.
    draw : Out(draw_bits)
        The low K bits of the state.

    Raises
    ------
    ValueError
        If ``draw_bits`` or ``init`` is out of range.

    References
    ----------
    Golden twin: ``golden.array.lfsr.Streams``.
    """

    def __init__(self, *, draw_bits: int, init: int = 1):
        if not 1 <= draw_bits <= STATE_BITS - TAPS[-1]:
            raise ValueError(
                f"draw_bits must be in 1 to {STATE_BITS - TAPS[-1]}, not {draw_bits!r}"
            )
        if not 1 <= init < 1 << STATE_BITS:
            raise ValueError(f"init must be in 1 to 2^{STATE_BITS} - 1, not {init!r}")
        self._draw_bits, self._init = draw_bits, init
        super().__init__({"en": In(1), "restart": In(1), "inject": In(1), "draw": Out(draw_bits)})

    def elaborate(self, platform):
        m = Module()
        width = self._draw_bits
        unused(m, ResetSignal())
        state = Signal(STATE_BITS, init=self._init, reset_less=True)
        m.d.comb += self.draw.eq(state[:width])
        new = state[TAPS[0] : TAPS[0] + width]
        for tap in TAPS[1:]:
            new = new ^ state[tap : tap + width]
        with m.If(self.restart):
            m.d.sync += state.eq(self._init)
        with m.Elif(self.en):
            m.d.sync += state.eq(Cat(state[width:], new ^ Cat(Const(0, width - 1), self.inject)))
        return m
